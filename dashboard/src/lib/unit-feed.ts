/** Fetches which units of a layer are pinned, and again as its run goes on: one question at a time. */

import type { Api, UnitMap } from "./api";
import type { Edges } from "./live";
import type { RunState, Window } from "./run-state";

const POINTS = 600;
// What the feed brings of units is of single frames; the history is asked for again.
const AGAIN_MS = 10_000;

export class UnitFeed {
  /** The last map that came. */
  map: UnitMap | null = null;
  /** Why there is none, or none that is newer. */
  error: Error | null = null;
  private readonly watchers = new Set<() => void>();
  /** The steps to show; undefined before any were said. */
  private window: Window | undefined;
  /** The run's step when the map was asked for. */
  private step: number | null = null;
  private asking = false;
  private closed = false;
  private cancel: (() => void) | null = null;

  constructor(
    private readonly run: string,
    private readonly layer: string,
    private readonly state: Pick<RunState, "step">,
    private readonly api: Api,
    private readonly edges: Edges,
  ) {}

  close(): void {
    this.closed = true;
    this.cancel?.();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  show(window: Window): void {
    this.window = window;
    this.cancel?.();
    if (!this.asking && !this.closed) void this.ask(window);
  }

  private async ask(window: Window): Promise<void> {
    this.asking = true;
    const { step } = this.state;
    try {
      const map = await this.api.units(this.run, this.layer, POINTS, window);
      if (window === this.window) [this.map, this.step, this.error] = [map, step, null];
    } catch (error) {
      if (window === this.window) this.error = error as Error;
    }
    this.asking = false;
    if (this.closed) return;
    // Other steps may have been chosen meanwhile.
    if (this.window !== undefined && window !== this.window) return this.ask(this.window);
    for (const watcher of this.watchers) watcher();
    this.repeat(window);
  }

  private repeat(window: Window): void {
    this.cancel = this.edges.after(AGAIN_MS, () => {
      if (this.error !== null || this.state.step !== this.step) void this.ask(window);
      else this.repeat(window);
    });
  }
}
