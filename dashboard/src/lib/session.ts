/** The viewer's tokens: for this tab only, and never in a URL, where logs would keep them. */

const KEY = "gainstage-token";
const ADMIN_KEY = "gainstage-admin-token";

export interface Keep {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Session {
  private readonly watchers = new Set<() => void>();
  /** Whether the server wants a token, or another one than we have. */
  refused = false;
  /** Whether the last token that was entered is not the server's. */
  mistaken = false;

  constructor(private readonly keep: Keep) {}

  get token(): string | null {
    return this.keep.getItem(KEY);
  }

  /** What goes with a change: the admin's token, where one was asked for. */
  get changing(): string | null {
    return this.keep.getItem(ADMIN_KEY) ?? this.token;
  }

  enter(token: string): void {
    this.keep.setItem(KEY, token);
    this.refused = false;
    this.mistaken = false;
    this.tell();
  }

  /** @param sent What the server refused; another one may have been entered meanwhile. */
  refuse(sent: string | null): void {
    if (sent !== this.token) return;
    this.keep.removeItem(KEY);
    this.refused = true;
    this.mistaken = sent !== null;
    this.tell();
  }

  /** What the page shows does not depend on it, so nobody is told. */
  enterAdmin(token: string): void {
    this.keep.setItem(ADMIN_KEY, token);
  }

  /**
   * Reading goes on with the token that it has.
   *
   * @param sent What the server refused; another one may have been entered meanwhile.
   */
  refuseAdmin(sent: string | null): void {
    if (sent !== this.keep.getItem(ADMIN_KEY)) return;
    this.keep.removeItem(ADMIN_KEY);
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}
