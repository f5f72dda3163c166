/** What the feed brings while a history is on its way: it goes on where the answer ends. */

import type { Block } from "./wire";

/** What is drawn of a frame over steps. */
export interface Sample {
  step: number;
  logs: Readonly<Record<string, number>>;
  columns: ReadonlyMap<string, Block>;
}

// A minute of them at ten a second, which is 30 MB at 1,000 layers.
const MOST = 600;

export class Meanwhile {
  readonly samples: Sample[] = [];
  /** Whether all that came was kept. */
  isWhole = true;

  add(sample: Sample): void {
    if (this.samples.length < MOST) this.samples.push(sample);
    else this.isWhole = false;
  }
}
