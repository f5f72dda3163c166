/** The viewer's token: for this tab only, and never in a URL, where logs would keep it. */

const KEY = "gainstage-token";

export interface Keep {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Session {
  private readonly watchers = new Set<() => void>();
  /** Whether the server refused what we have. */
  refused = false;

  constructor(private readonly keep: Keep) {}

  get token(): string | null {
    return this.keep.getItem(KEY);
  }

  enter(token: string): void {
    this.keep.setItem(KEY, token);
    this.refused = false;
    this.tell();
  }

  refuse(): void {
    this.keep.removeItem(KEY);
    this.refused = true;
    this.tell();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}
