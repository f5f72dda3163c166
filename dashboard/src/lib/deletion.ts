/** The deletion of some runs, from the question to the server's last word on it. */

import { type Api, ApiError } from "./api";
import type { RunSummary } from "./contract";

/** "token": the server wants the admin's; "refused": it kept some of the runs, and said why. */
export type Phase = "asking" | "deleting" | "token" | "refused" | "done";

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

export class Deletion {
  phase: Phase = "asking";
  /** Whether a token was entered that is not the admin's. */
  mistaken = false;
  refusals: { run: string; reason: string }[] = [];
  private waiting: string[];
  private readonly watchers = new Set<() => void>();

  /** @param gone Called with each run as soon as it is deleted. */
  constructor(
    readonly runs: readonly RunSummary[],
    private readonly api: Pick<Api, "deleteRun">,
    private readonly gone: (run: string) => void,
  ) {
    this.waiting = runs.map(({ id }) => id);
  }

  /** What a person types to say that this is meant. */
  get confirmation(): string {
    const [first] = this.runs;
    return this.runs.length === 1 && first ? first.id : `${this.runs.length} runs`;
  }

  get samples(): number {
    return this.runs.reduce((sum, { frames }) => sum + frames, 0);
  }

  /** How many have had their answer. */
  get answered(): number {
    return this.runs.length - this.waiting.length;
  }

  /** Begins, or goes on after a token was entered. */
  async go(): Promise<void> {
    const asked = this.phase === "token";
    this.tell("deleting");
    for (let run = this.waiting[0]; run !== undefined; run = this.waiting[0]) {
      try {
        await this.api.deleteRun(run);
        this.gone(run);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === UNAUTHORIZED) {
          this.mistaken = asked;
          this.tell("token");
          return;
        }
        // Somebody else was faster.
        if (error.status === NOT_FOUND) this.gone(run);
        else this.refusals.push({ run, reason: error.message });
      }
      this.waiting.shift();
      this.tell("deleting");
    }
    this.tell(this.refusals.length > 0 ? "refused" : "done");
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private tell(phase: Phase): void {
    this.phase = phase;
    for (const watcher of this.watchers) watcher();
  }
}
