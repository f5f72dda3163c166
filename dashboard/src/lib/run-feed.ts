/** Follows one run: fetches what it is now, listens to what becomes of it, tells who watches. */

import { type Api, ApiError } from "./api";
import { Histories } from "./histories";
import { type Connection, type Edges, Live } from "./live";
import { type Part, RunState, type Selection, type Window } from "./run-state";
import type { Decoded } from "./wire";

// A burst of findings or notices is one reason to fetch, not many.
const GATHERED_MS = 300;
// A page that reads too slowly must not be kept busy with what it missed.
const BACKFILL_MS = 3_000;
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
  private readonly listeners = new Set<() => void>();
  private readonly live: Live;
  private readonly histories: Histories;
  private closed = false;
  private pending = new Set<Part>();
  private following = false;
  private cancelGathering: (() => void) | null = null;
  private cancelBackfill: (() => void) | null = null;
  private cancelSummary: (() => void) | null = null;

  constructor(
    readonly run: string,
    private readonly api: Api,
    private readonly edges: Edges,
  ) {
    this.histories = new Histories(run, this.state, api);
    const listener = {
      message: (decoded: Decoded) => {
        const stale = this.state.receive(decoded);
        if (stale === "gone") return this.leave();
        this.refetch(stale);
        this.tell(decoded.message.type === "frame" ? this.listeners : this.watchers);
      },
      connection: (connection: Connection) => {
        this.connection = connection;
        if (connection === "disconnected") this.follow();
        this.tell();
      },
      resumed: () => {
        this.histories.lack("some");
        void this.fetch(["summary", "layers", "findings"]);
      },
      following: () => this.follow(),
      unreadable: (error: Error) => this.fail(error),
    };
    this.live = new Live(run, edges, listener, this.histories.statistics);
    void this.fetch(["summary", "layers", "findings"]);
    this.repeatSummary();
  }

  close(): void {
    this.closed = true;
    this.cancelGathering?.();
    this.cancelBackfill?.();
    this.cancelSummary?.();
    this.live.close();
  }

  /** Calls back after every change but those that `listen` tells of. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Calls back after every frame. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  showHeat(statistic: string): void {
    if (this.histories.showHeat(statistic)) this.followSoon();
  }

  /**
   * Views say again and again what they show; it is asked for once.
   *
   * @param panel What shows the selection; it shows one at a time.
   */
  showSeries(panel: string, selection: Selection): void {
    if (this.histories.showSeries(panel, selection)) this.followSoon();
  }

  hideSeries(panel: string): void {
    this.histories.hideSeries(panel);
    this.followSoon();
  }

  /** Shows other steps, of everything that is drawn over steps. */
  zoom(window: Window): void {
    if (this.histories.zoom(window)) this.followSoon();
  }

  /** Once all views have said what they show. */
  private followSoon(): void {
    if (this.following) return;
    this.following = true;
    queueMicrotask(() => {
      this.following = false;
      this.follow();
    });
  }

  /** Has the feed bring what is shown, and once it does, fetches what came before. */
  private follow(): void {
    if (this.closed || this.live.follow(this.histories.statistics)) return;
    for (const work of this.histories.fetch(this.live.isFollowing)) {
      void this.attempt(work).then(() => {
        if (this.histories.isDue) this.follow();
      });
    }
  }

  private leave(): void {
    this.deleted = true;
    this.close();
    this.tell();
  }

  private tell(callbacks: ReadonlySet<() => void> = this.watchers): void {
    for (const callback of callbacks) callback();
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

  private refetch(stale: readonly Part[]): void {
    for (const part of stale) this.pending.add(part);
    if (this.pending.delete("histories")) this.backfill();
    if (this.pending.size === 0) return;
    this.cancelGathering ??= this.edges.after(GATHERED_MS, () => {
      const wanted = [...this.pending];
      this.cancelGathering = null;
      this.pending.clear();
      void this.fetch(wanted);
    });
  }

  private backfill(): void {
    this.histories.lack("some");
    this.cancelBackfill ??= this.edges.after(BACKFILL_MS, () => {
      this.cancelBackfill = null;
      this.follow();
    });
  }

  private repeatSummary(): void {
    this.cancelSummary = this.edges.after(SUMMARY_MS, () => {
      if (!this.state.isLaidOut) void this.fetch(["summary", "layers"]);
      else if (this.state.detail?.status !== "ended") void this.fetch(["summary"]);
      this.histories.lackOthers();
      // What could not be fetched is still lacking.
      this.follow();
      this.repeatSummary();
    });
  }

  private fetch(parts: readonly Part[]): Promise<void> {
    const work = parts.map((part) => this.fetchPart(part));
    return this.attempt(
      Promise.all(work).then(() => {
        this.loaded = true;
        this.error = null;
      }),
    );
  }

  private async fetchPart(part: Part): Promise<void> {
    switch (part) {
      case "summary":
        return this.fetchSummary();
      case "findings":
        return this.state.setFindings(await this.api.findings(this.run));
      case "layers":
        this.state.setLayers(await this.api.layers(this.run));
    }
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
}
