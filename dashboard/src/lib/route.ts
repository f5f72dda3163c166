/** Which page a path means. */

/** The pages of a run, each with its place in the address and its name; a layer's page has none. */
export const VIEWS = [
  ["desk", "", "Desk"],
  ["graph", "graph", "Graph"],
  ["trials", "trials", "Trials"],
] as const;

export type View = (typeof VIEWS)[number][0];

export type Route =
  | { page: "runs" }
  | { page: "run"; run: string; view: View }
  | { page: "run"; run: string; view: "layer"; layer: string }
  | { page: "compare" }
  | { page: "unknown" };

export function routeOf(path: string): Route {
  try {
    return ofParts(path.split("/").slice(1).map(decodeURIComponent));
  } catch {
    return { page: "unknown" }; // a stray % is no name
  }
}

function ofParts(parts: readonly string[]): Route {
  const [first, run = "", place = "", layer = "", ...more] = parts.at(-1) === "" ? parts.slice(0, -1) : parts;
  if (first === undefined) return { page: "runs" };
  if (first === "compare" && run === "") return { page: "compare" };
  if (first !== "runs" || run === "" || more.length > 0) return { page: "unknown" };
  if (place === "layers" && layer !== "") return { page: "run", run, view: "layer", layer };
  const view = VIEWS.find(([, known]) => known === place)?.[0];
  return view !== undefined && layer === "" ? { page: "run", run, view } : { page: "unknown" };
}

export function pathOf(run: string, view: View = "desk"): string {
  const place = VIEWS.find(([name]) => name === view)![1];
  return `/runs/${encodeURIComponent(run)}${place === "" ? "" : `/${place}`}`;
}

/** @param layer A row's id, which rebuilding and renaming leave as it is. */
export function layerPath(run: string, layer: string): string {
  return `${pathOf(run)}/layers/${encodeURIComponent(layer)}`;
}

export function comparePath(runs: readonly string[]): string {
  return `/compare?${new URLSearchParams(runs.map((run) => ["run", run]))}`;
}
