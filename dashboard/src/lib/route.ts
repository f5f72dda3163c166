/** Which page a path means. */

export type Route = { page: "runs" } | { page: "run"; run: string } | { page: "unknown" };

export function routeOf(path: string): Route {
  if (path === "/") return { page: "runs" };
  const run = /^\/runs\/([^/]+)\/?$/.exec(path)?.[1];
  if (run === undefined) return { page: "unknown" };
  try {
    return { page: "run", run: decodeURIComponent(run) };
  } catch {
    return { page: "unknown" }; // a stray % is no run's name
  }
}

export function pathOf(run: string): string {
  return `/runs/${encodeURIComponent(run)}`;
}
