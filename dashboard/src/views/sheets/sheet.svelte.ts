/** A canvas that another thread draws, so that what moves with each sample leaves the page's free. */

import type { Attachment } from "svelte/attachments";
import type { Drawing, Order } from "./thread";

let sheets = 0;

class Thread {
  /** Whether it could not be loaded, so that nothing is drawn. */
  failed = $state(false);
  private worker: Worker | null = null;

  order(order: Order, handed: Transferable[]): void {
    this.worker ??= this.open();
    this.worker.postMessage(order, handed);
  }

  private open(): Worker {
    const opened = new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
    opened.onerror = () => (this.failed = true);
    return opened;
  }
}

export const drawing = new Thread();

export class Sheet {
  private readonly sheet = ++sheets;

  /** Attach it to the canvas, which nothing else may draw on. */
  readonly hand: Attachment<HTMLCanvasElement> = (element) => {
    const { sheet } = this;
    const canvas = element.transferControlToOffscreen();
    drawing.order({ sheet, canvas }, [canvas]);
    return () => drawing.order({ sheet, gone: true }, []);
  };

  /** @param handed What of the drawing is not needed here any more, and is not copied therefore. */
  draw(what: Drawing, handed: Transferable[] = []): void {
    drawing.order({ sheet: this.sheet, drawing: what }, handed);
  }
}
