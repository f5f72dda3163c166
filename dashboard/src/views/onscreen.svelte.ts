/** Whether an element is on the screen: what nobody sees need not be drawn. */

import type { Attachment } from "svelte/attachments";

/** So far from the screen's edges a drawing is kept up to date, for whoever scrolls there. */
const MARGIN = "120px";

export class OnScreen {
  now = $state(false);
  /** Whether it ever was. */
  seen = $state(false);

  /** Attach it to the element that is watched. */
  readonly watch: Attachment = (element) => {
    const observer = new IntersectionObserver(
      (entries) => {
        this.now = entries.at(-1)?.isIntersecting ?? false;
        this.seen ||= this.now;
      },
      { rootMargin: MARGIN },
    );
    observer.observe(element);
    return () => observer.disconnect();
  };
}
