/** The page's address as state. */

import { type Route, routeOf } from "../lib/route";

class Router {
  private path = $state(location.pathname);
  private query = $state(location.search);
  /** How many pages were gone to, and which of them had its heading focused. */
  private pages = $state(0);
  private headed = 0;
  /** What had the focus on the page that was left. */
  private from: Element | null = null;

  constructor() {
    window.addEventListener("popstate", () => this.turn());
  }

  get route(): Route {
    return routeOf(this.path);
  }

  /** What follows the path, as it stands in the address; empty or with its question mark. */
  get search(): string {
    return this.query;
  }

  parameter(name: string): string | null {
    return new URLSearchParams(this.query).get(name);
  }

  parameters(name: string): string[] {
    return new URLSearchParams(this.query).getAll(name);
  }

  go(path: string): void {
    history.pushState(null, "", path);
    this.turn();
    window.scrollTo(0, 0);
  }

  /** Keeps a choice in the address, so that it can be sent to somebody; null takes it out. */
  choose(name: string, value: string | null): void {
    this.chooseAll({ [name]: value });
  }

  chooseAll(choices: Readonly<Record<string, string | null>>): void {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(choices)) {
      if (value === null) query.delete(name);
      else query.set(name, value);
    }
    history.replaceState(null, "", query.size === 0 ? this.path : `${this.path}?${query}`);
    this.read();
  }

  /** Follows a link within the page, unless it is to open elsewhere. */
  follow = (event: MouseEvent): void => {
    const anchor = (event.target as Element).closest("a");
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
    if (anchor === null || elsewhere || anchor.origin !== location.origin) return;
    if (anchor.target !== "" || routeOf(anchor.pathname).page === "unknown") return;
    event.preventDefault();
    this.go(anchor.pathname + anchor.search);
  };

  /**
   * Attached to the main heading of a page, which has the focus once the page was gone to: a screen
   * reader then says where it is. Somebody who went on meanwhile is not taken back.
   */
  heading = (element: HTMLElement): void => {
    if (this.pages === this.headed) return;
    this.headed = this.pages;
    const { activeElement: now, body } = document;
    if (now === null || now === body || now === this.from) element.focus({ preventScroll: true });
  };

  private turn(): void {
    this.from = document.activeElement;
    this.pages += 1;
    this.read();
  }

  private read(): void {
    this.path = location.pathname;
    this.query = location.search;
  }
}

export const router = new Router();
