/** Has graphs laid out in another thread: the newest only. */

import type { Layout, Plan } from "./layout";

/** What is used of a Worker. */
export interface Thread {
  onmessage: ((event: MessageEvent<Layout | null>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(plan: Plan): void;
  terminate(): void;
}

/** "too large": no layout is possible; "failed": the thread did not get as far as to try. */
export type Outcome = Layout | "too large" | "failed";

export class Layouter {
  private thread: Thread | null = null;
  private isBusy = false;

  constructor(private readonly open: () => Thread) {}

  /** Lays out `plan`; what was asked for before is not answered any more. */
  layOut(plan: Plan, done: (outcome: Outcome) => void): void {
    // A thread cannot be interrupted otherwise.
    if (this.isBusy) this.close();
    const thread = (this.thread ??= this.open());
    this.isBusy = true;
    thread.onmessage = ({ data }) => {
      this.isBusy = false;
      done(data ?? "too large");
    };
    thread.onerror = () => {
      // A thread that could not be loaded never answers: the next graph gets another one.
      this.close();
      done("failed");
    };
    thread.postMessage(plan);
  }

  close(): void {
    this.thread?.terminate();
    this.thread = null;
    this.isBusy = false;
  }
}
