/** Follows the list of runs: the feed says that something changed, the API says what it is now. */

import type { Api } from "./api";
import type { RunSummary } from "./contract";
import { type Connection, type Edges, Live } from "./live";

// Many runs may report at once; one answer serves for all of them.
const GATHERED_MS = 500;
// Steps and frames go on without a message to this list, and a lost run falls silent.
const REPEATED_MS = 5_000;
// A long list keeps server and page busy for a while: 10,000 runs are asked for every 10 seconds.
const MS_A_RUN = 1;

export class RunsFeed {
  runs: readonly RunSummary[] | null = null;
  connection: Connection = "connecting";
  error: Error | null = null;
  private readonly watchers = new Set<() => void>();
  private readonly live: Live;
  private closed = false;
  private gathering = false;
  private cancel: (() => void) | null = null;

  constructor(
    private readonly api: Api,
    private readonly edges: Edges,
  ) {
    this.live = new Live(null, edges, {
      message: () => this.gather(),
      connection: (connection) => {
        this.connection = connection;
        this.tell();
      },
      following: () => undefined,
      resumed: () => this.schedule(0),
      unreadable: (error) => {
        this.error = error;
        this.tell();
      },
    });
    void this.fetch();
  }

  /** The run was deleted: it goes at once, and not with the next answer. */
  drop(run: string): void {
    this.runs = this.runs?.filter(({ id }) => id !== run) ?? null;
    this.tell();
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
    this.live.close();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Messages that come while one waits already do not put it off, however many they are. */
  private gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    this.schedule(this.atLeast(GATHERED_MS));
  }

  private atLeast(milliseconds: number): number {
    return Math.max(milliseconds, MS_A_RUN * (this.runs?.length ?? 0));
  }

  private schedule(milliseconds: number): void {
    this.cancel?.();
    if (!this.closed) this.cancel = this.edges.after(milliseconds, () => void this.fetch());
  }

  private async fetch(): Promise<void> {
    this.gathering = false;
    try {
      this.runs = await this.api.runs();
      this.error = null;
    } catch (error) {
      this.error = error as Error;
    }
    if (!this.gathering) this.schedule(this.atLeast(REPEATED_MS));
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}
