/** Has graphs laid out in another thread: the newest only. */

import type { Layout, Plan } from "./layout";

/** What is used of a Worker. */
export interface Thread {
  onmessage: ((event: MessageEvent<Layout | null>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(plan: Plan): void;
  terminate(): void;
}

export class Layouter {
  private thread: Thread | null = null;
  private isBusy = false;

  constructor(private readonly open: () => Thread) {}

  /**
   * Lays out `plan`; what was asked for before is not answered any more.
   *
   * @param done Gets the layout, or null where the graph is too large for any.
   */
  layOut(plan: Plan, done: (layout: Layout | null) => void): void {
    // A thread cannot be interrupted otherwise.
    if (this.isBusy) this.close();
    const thread = (this.thread ??= this.open());
    this.isBusy = true;
    const answer = (layout: Layout | null): void => {
      this.isBusy = false;
      done(layout);
    };
    thread.onmessage = ({ data }) => answer(data);
    thread.onerror = () => answer(null);
    thread.postMessage(plan);
  }

  close(): void {
    this.thread?.terminate();
    this.thread = null;
    this.isBusy = false;
  }
}
