/** Follows one run: fetches what it is now, listens to what becomes of it, tells who watches. */

import { type Api, ApiError } from "./api";
import { type Connection, type Edges, Live } from "./live";
import { isSame, RunState, type Selection, type Stale, type Window } from "./run-state";

const HEAT_POINTS = 600;
const SERIES_POINTS = 600;
// A burst of findings or notices is one reason to fetch, not many.
const GATHERED_MS = 300;
// Verdicts of layers that recover without a finding, notices and counts come only by asking.
const SUMMARY_MS = 10_000;
const NOT_FOUND = 404;

export class RunFeed {
  readonly state = new RunState();
  connection: Connection = "connecting";
  /** Why there is nothing to show; once something is shown, an error no longer takes it away. */
  error: Error | null = null;
  loaded = false;
  /** Whether the run was deleted since: nothing more comes of it. */
  deleted = false;
  private readonly watchers = new Set<() => void>();
  private readonly live: Live;
  private closed = false;
  private pending: Stale = "nothing";
  private heatStatistic = "";
  private readonly selections = new Map<string, Selection>();
  private cancelGathering: (() => void) | null = null;
  private cancelSummary: (() => void) | null = null;

  constructor(
    readonly run: string,
    private readonly api: Api,
    private readonly edges: Edges,
  ) {
    this.live = new Live(run, edges, {
      message: (decoded) => {
        const stale = this.state.receive(decoded);
        if (stale === "gone") return this.leave();
        this.refetch(stale);
        this.tell();
      },
      connection: (connection) => {
        this.connection = connection;
        this.tell();
      },
      resumed: () => void this.fetch("everything"),
      unreadable: (error) => this.fail(error),
    });
    void this.fetch("everything");
    this.repeatSummary();
  }

  close(): void {
    this.closed = true;
    this.cancelGathering?.();
    this.cancelSummary?.();
    this.live.close();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  showHeat(statistic: string): void {
    if (statistic === this.heatStatistic) return;
    this.heatStatistic = statistic;
    void this.attempt(this.fetchHeat());
  }

  /**
   * Views say again and again what they show; it is asked for once.
   *
   * @param panel What shows the selection; it shows one at a time.
   */
  showSeries(panel: string, selection: Selection): void {
    const now = this.selections.get(panel);
    if (now !== undefined && isSame(now, selection)) return;
    this.selections.set(panel, selection);
    void this.attempt(this.fetchSeries(panel));
  }

  hideSeries(panel: string): void {
    this.selections.delete(panel);
    this.state.dropSeries(panel);
  }

  /** Shows other steps, of everything that is drawn over steps. */
  zoom(window: Window): void {
    const { window: now } = this.state;
    if (window?.from === now?.from && window?.to === now?.to) return;
    this.state.window = window;
    void this.attempt(Promise.all(this.fetchHistories()).then(() => undefined));
  }

  private leave(): void {
    this.deleted = true;
    this.close();
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }

  private fail(error: Error): void {
    this.error = error;
    this.tell();
  }

  private async attempt(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!this.closed) this.fail(error as Error);
      return;
    }
    this.tell();
  }

  private refetch(stale: Stale): void {
    if (stale === "nothing") return;
    this.pending = widest(this.pending, stale);
    this.cancelGathering ??= this.edges.after(GATHERED_MS, () => {
      const wanted = this.pending;
      this.cancelGathering = null;
      this.pending = "nothing";
      void this.fetch(wanted);
    });
  }

  private repeatSummary(): void {
    this.cancelSummary = this.edges.after(SUMMARY_MS, () => {
      if (this.state.detail?.status !== "ended") void this.fetch("summary");
      this.repeatSummary();
    });
  }

  private fetch(stale: Stale): Promise<void> {
    const work: Promise<void>[] = [this.fetchSummary()];
    if (stale === "layers" || stale === "everything") work.push(this.fetchLayers());
    if (stale === "everything") work.push(...this.fetchHistories());
    return this.attempt(
      Promise.all(work).then(() => {
        this.loaded = true;
        this.error = null;
      }),
    );
  }

  private async fetchSummary(): Promise<void> {
    try {
      this.state.setDetail(await this.api.run(this.run));
    } catch (error) {
      // It was there before: it was deleted while the feed was away.
      if (this.loaded && error instanceof ApiError && error.status === NOT_FOUND) this.leave();
      throw error;
    }
  }

  private async fetchLayers(): Promise<void> {
    const [layers, findings] = await Promise.all([
      this.api.layers(this.run),
      this.api.findings(this.run),
    ]);
    this.state.setLayers(layers);
    this.state.setFindings(findings);
  }

  private fetchHistories(): Promise<void>[] {
    return [this.fetchHeat(), ...[...this.selections.keys()].map((panel) => this.fetchSeries(panel))];
  }

  private async fetchHeat(): Promise<void> {
    const statistic = this.heatStatistic;
    const { window } = this.state;
    if (statistic === "") return;
    const heat = await this.api.heatmap(this.run, statistic, HEAT_POINTS, window);
    // Something else may have been chosen meanwhile.
    if (statistic === this.heatStatistic && window === this.state.window) {
      this.state.setHeat(statistic, heat);
    }
  }

  private async fetchSeries(panel: string): Promise<void> {
    const selection = this.selections.get(panel);
    const { window } = this.state;
    if (selection === undefined || selection.layer === "" || selection.statistics.length === 0) return;
    const { layer, statistics } = selection;
    const history =
      layer === null
        ? await this.api.logs(this.run, statistics, SERIES_POINTS, window)
        : await this.api.series(this.run, layer, statistics, SERIES_POINTS, window);
    if (selection === this.selections.get(panel) && window === this.state.window) {
      this.state.setSeries(panel, selection, history);
    }
  }
}

const WIDTHS: readonly Stale[] = ["nothing", "summary", "layers", "everything"];

function widest(left: Stale, right: Stale): Stale {
  return WIDTHS[Math.max(WIDTHS.indexOf(left), WIDTHS.indexOf(right))]!;
}
