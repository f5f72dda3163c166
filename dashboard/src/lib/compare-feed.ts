/** Fetches the runs that are compared, each by itself: one that is not there takes none away. */

import type { Api } from "./api";
import { isMissing, presentIn, type Side } from "./compare";
import type { Edges } from "./live";
import { logOf } from "./logs";
import { type History, Rollup } from "./rollup";
import type { Window } from "./run-state";

const POINTS = 600;
// A comparison is looked at, not watched: what goes on is asked for now and then.
const REPEATED_MS = 10_000;

/** What is drawn over steps: a statistic of a layer; null is no layer: a log of the training. */
interface Shown {
  layer: string | null;
  statistic: string;
  window: Window;
}

export class CompareFeed {
  sides: readonly Side[];
  /** Run -> the history of what is shown, where the run has it. */
  series: ReadonlyMap<string, Rollup> = new Map();
  /** Run -> why the history of what is shown is not there, or not brought up to date. */
  failed: ReadonlyMap<string, Error> = new Map();
  /** The runs that are being asked for. */
  private readonly asking = new Set<string>();
  /** Those whose lines are on their way. */
  private readonly drawing = new Map<string, Promise<void>>();
  private readonly watchers = new Set<() => void>();
  private shown: Shown | null = null;
  private closed = false;
  private cancel: (() => void) | null = null;

  constructor(
    runs: readonly string[],
    private readonly api: Api,
    private readonly edges: Edges,
  ) {
    this.sides = runs.map((run) => ({ run, detail: null, layers: null, error: null }));
    for (const run of runs) void this.fetch(run);
    this.repeat();
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Whether every run has been asked for. */
  get settled(): boolean {
    return this.sides.every(({ detail, error }) => detail !== null || error !== null);
  }

  show(layer: string | null, statistic: string, window: Window): void {
    const sameRow = this.shown?.layer === layer && this.shown.statistic === statistic;
    this.shown = { layer, statistic, window };
    // Another stretch of the same lines is drawn over the last one until it is there.
    if (!sameRow) this.series = new Map();
    this.failed = new Map();
    for (const { run } of this.sides) void this.attempt(run, this.fetchSeries(run));
  }

  private repeat(): void {
    this.cancel = this.edges.after(REPEATED_MS, () => {
      for (const side of this.sides) {
        if (mayChange(side) || this.failed.has(side.run)) void this.fetch(side.run);
      }
      this.repeat();
    });
  }

  private async fetch(run: string): Promise<void> {
    if (this.asking.has(run)) return;
    this.asking.add(run);
    await this.attempt(run, this.fetchSide(run));
    this.asking.delete(run);
  }

  private async fetchSide(run: string): Promise<void> {
    const before = this.side(run);
    const detail = await this.api.run(run);
    const grown = detail.step !== before.detail?.step || before.layers === null;
    const layers = grown ? await this.api.layers(run) : before.layers;
    this.put(run, { detail, layers, error: null });
    if (grown || this.failed.has(run)) await this.fetchSeries(run);
  }

  /** Asks a run one question at a time, and of those that came meanwhile the newest. */
  private fetchSeries(run: string): Promise<void> {
    const asked = this.drawing.get(run);
    if (asked !== undefined) return asked;
    const drawing = this.drawNewest(run).finally(() => this.drawing.delete(run));
    this.drawing.set(run, drawing);
    return drawing;
  }

  private async drawNewest(run: string): Promise<void> {
    for (let done: Shown | null = null; done !== this.shown && !this.closed; ) {
      done = this.shown;
      if (done !== null && has(this.side(run), done)) await this.draw(run, done);
    }
  }

  private async draw(run: string, shown: Shown): Promise<void> {
    const answer = await this.ask(run, shown).catch((error: unknown) => error as Error);
    // Something else may have been chosen meanwhile.
    if (shown !== this.shown) return;
    const failed = new Map(this.failed);
    failed.delete(run);
    if (answer instanceof Error) failed.set(run, answer);
    else this.series = new Map([...this.series, [run, Rollup.from(answer, 1)]]);
    this.failed = failed;
  }

  private ask(run: string, { layer, statistic, window }: Shown): Promise<History> {
    return layer === null
      ? this.api.logs(run, [statistic], POINTS, window)
      : this.api.series(run, layer, [statistic], POINTS, window);
  }

  private async attempt(run: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.put(run, { error: error as Error });
    }
    if (!this.closed) for (const watcher of this.watchers) watcher();
  }

  private side(run: string): Side {
    return this.sides.find((side) => side.run === run)!;
  }

  private put(run: string, change: Partial<Side>): void {
    this.sides = this.sides.map((side) => (side.run === run ? { ...side, ...change } : side));
  }
}

function has({ detail, layers }: Side, { layer, statistic }: Shown): boolean {
  if (layer === null) return detail !== null && logOf(detail.logs, statistic) !== null;
  const row = layers?.rows.find(({ id }) => id === layer);
  return row !== undefined && presentIn(row).includes(statistic);
}

/** A run that is over stays as it is, and one that is not there is not asked for again. */
function mayChange(side: Side): boolean {
  return side.error !== null ? !isMissing(side) : side.detail?.status !== "ended";
}
