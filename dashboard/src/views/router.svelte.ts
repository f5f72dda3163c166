/** The page's address as state. */

import { type Route, routeOf } from "../lib/route";

class Router {
  private path = $state(location.pathname);
  private query = $state(location.search);

  constructor() {
    window.addEventListener("popstate", () => this.read());
  }

  get route(): Route {
    return routeOf(this.path);
  }

  parameter(name: string): string | null {
    return new URLSearchParams(this.query).get(name);
  }

  go(path: string): void {
    history.pushState(null, "", path);
    this.read();
    window.scrollTo(0, 0);
  }

  /** Keeps a choice in the address, so that it can be sent to somebody; "" is no choice. */
  choose(name: string, value: string): void {
    const query = new URLSearchParams(this.query);
    if (value === "") query.delete(name);
    else query.set(name, value);
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

  private read(): void {
    this.path = location.pathname;
    this.query = location.search;
  }
}

export const router = new Router();
