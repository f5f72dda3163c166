/** Things with ways between them, laid out by dagre from left to right. */

import { graphlib, layout } from "@dagrejs/dagre";

/** The gaps that ways are drawn in. */
export const GAP = 46;
const BESIDE = 18;
// A port, of no size, keeps the distance of other ways.
const PORT: Size = { width: 8, height: 8 };
const POINT: Size = { width: 0, height: 0 };
// A port stays at its frame's border, whatever is shorter for the ways inside.
const AT_BORDER = 100;
// Between what nothing feeds and the border there is the rank of the ports.
const BEHIND_PORTS = 2;
// dagre puts something into every rank that a way passes, and takes a second for 8,000 of them.
const MOST_PASSED = 8_000;

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Way {
  source: number;
  target: number;
  weight: number;
  /** How far below the middle of its source it begins, and below that of its target it ends. */
  begin: number;
  end: number;
}

/** What there is. Its places are numbered: entries come first, then items, then exits. */
export interface Contents {
  /** Ports at which ways begin that come from outside. */
  entries: number;
  /** In the order of data flow. */
  items: readonly Size[];
  /** Ports at which ways end that leave. */
  exits: number;
  ways: readonly Way[];
}

/** Coordinates from the upper left corner of what the contents cover. */
export interface Arranged extends Size {
  /** The middle of each place. */
  middles: readonly Point[];
  /** What each way passes between its ends. */
  routes: readonly (readonly Point[])[];
}

/** The size of each place; ports have none. */
export function sizesOf({ entries, items, exits }: Contents): Size[] {
  return [...Array<Size>(entries).fill(POINT), ...items, ...Array<Size>(exits).fill(POINT)];
}

export function arrange(contents: Contents): Arranged {
  const { entries, items, exits, ways } = contents;
  const sizes = sizesOf(contents);
  const omitted = tooLong(ways, sizes.length);
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: BESIDE, ranksep: GAP });
  sizes.forEach((size, place) => {
    graph.setNode(`${place}`, { ...(isItem(contents, place) ? size : PORT) });
  });
  ways.forEach(({ source, target, weight }, way) => {
    if (!omitted.has(way)) graph.setEdge(`${source}`, `${target}`, { weight }, `${way}`);
  });
  const inner = items.map((_, item) => `${entries + item}`);
  if (entries > 0) {
    const first = inner.filter((place) => graph.inEdges(place)?.length === 0);
    graph.setNode("before", { ...POINT });
    for (const place of first) graph.setEdge("before", place, { weight: 0, minlen: BEHIND_PORTS });
    for (let port = 0; port < entries; port++) {
      graph.setEdge("before", `${port}`, { weight: AT_BORDER });
    }
  }
  if (exits > 0) {
    const last = inner.filter((place) => graph.outEdges(place)?.length === 0);
    graph.setNode("after", { ...POINT });
    for (const place of last) graph.setEdge(place, "after", { weight: 0, minlen: BEHIND_PORTS });
    for (let port = sizes.length - exits; port < sizes.length; port++) {
      graph.setEdge(`${port}`, "after", { weight: AT_BORDER });
    }
  }
  layout(graph);
  return measured(graph, contents);
}

function isItem({ entries, items }: Contents, place: number): boolean {
  return place >= entries && place < entries + items.length;
}

/** The longest ways, where all together pass more ranks than can be laid out in time. */
function tooLong(ways: readonly Way[], places: number): Set<number> {
  const ranks = new Int32Array(places);
  for (const { source, target } of [...ways].sort((left, right) => left.source - right.source)) {
    ranks[target] = Math.max(ranks[target]!, ranks[source]! + 1);
  }
  // dagre makes a rank of its own between each two.
  const passed = ways.map(
    ({ source, target }) => 2 * Math.abs(ranks[target]! - ranks[source]!) - 1,
  );
  let sum = passed.reduce((total, count) => total + count, 0);
  const omitted = new Set<number>();
  for (const way of [...passed.keys()].sort((left, right) => passed[right]! - passed[left]!)) {
    if (sum <= MOST_PASSED) break;
    sum -= passed[way]!;
    omitted.add(way);
  }
  return omitted;
}

function measured(graph: graphlib.Graph, contents: Contents): Arranged {
  const sizes = sizesOf(contents);
  const middles = sizes.map((_, place): Point => {
    const { x, y } = graph.node(`${place}`) as Point;
    return { x, y };
  });
  // Of two pictures that are as good, the one in the order of the layers.
  const mirror = isReversed(middles) ? -1 : 1;
  for (const middle of middles) middle.y *= mirror;
  const extent = new Extent();
  // What stands in a rank has its middle on one line; how far the rank reaches to both sides.
  const reach = new Map<number, number>();
  middles.forEach((middle, place) => {
    extent.cover(middle, sizes[place]);
    const line = Math.round(middle.x);
    reach.set(line, Math.max(reach.get(line) ?? 0, sizes[place]!.width / 2));
  });
  const reachOf = ({ x }: Point): number => reach.get(Math.round(x)) ?? 0;
  /** Where a way leaves the rank of its source, or comes to that of its target. */
  const beside = (place: number, sign: number, offset: number): Point[] => {
    const { x, y } = middles[place]!;
    const isAtEdge = reachOf({ x, y }) - sizes[place]!.width / 2 < 1;
    return isAtEdge ? [] : [{ x: x + sign * reachOf({ x, y }), y: y + offset }];
  };
  const passed = contents.ways.map(({ source, target }, way): Point[] | null => {
    const edge = graph.edge(`${source}`, `${target}`, `${way}`) as { points: Point[] } | undefined;
    if (edge === undefined) return null;
    // Of what it passes between its ends, every second point lies in a rank, the others between.
    const ranks = edge.points.slice(1, -1).filter((_, index) => index % 2 === 1);
    return ranks.flatMap(({ x, y }) =>
      [-1, 1].map((sign) => ({ x: x + sign * reachOf({ x, y }), y: mirror * y })),
    );
  });
  for (const point of passed.flatMap((points) => points ?? [])) extent.cover(point);
  // What dagre was not asked about shares one lane below everything else.
  const lane = extent.bottom + BESIDE;
  const inLane = ({ source, target }: Way): Point[] => {
    const from = middles[source]!.x + reachOf(middles[source]!) + GAP / 2;
    const to = middles[target]!.x - reachOf(middles[target]!) - GAP / 2;
    return [
      { x: from, y: lane },
      { x: Math.max(from, to), y: lane },
    ];
  };
  const routes = contents.ways.map((way, index) => [
    ...beside(way.source, 1, way.begin),
    ...(passed[index] ?? inLane(way)),
    ...beside(way.target, -1, way.end),
  ]);
  for (const point of routes.flat()) extent.cover(point);
  return extent.cut({ middles, routes });
}

/** Whether more of what stands one below the other stands against the order than in it. */
function isReversed(middles: readonly Point[]): boolean {
  const last = new Map<number, number>();
  let reversed = 0;
  for (const { x, y } of middles) {
    reversed += Math.sign((last.get(Math.round(x)) ?? y) - y);
    last.set(Math.round(x), y);
  }
  return reversed > 0;
}

/** The rectangle that everything lies in. */
export class Extent {
  left = Infinity;
  top = Infinity;
  right = -Infinity;
  bottom = -Infinity;

  cover({ x, y }: Point, { width, height }: Size = POINT): void {
    this.left = Math.min(this.left, x - width / 2);
    this.top = Math.min(this.top, y - height / 2);
    this.right = Math.max(this.right, x + width / 2);
    this.bottom = Math.max(this.bottom, y + height / 2);
  }

  /** The same, from the upper left corner of the rectangle. */
  cut({ middles, routes }: Omit<Arranged, keyof Size>): Arranged {
    const moved = ({ x, y }: Point): Point => ({ x: x - this.left, y: y - this.top });
    return {
      width: Math.max(this.right - this.left, 0),
      height: Math.max(this.bottom - this.top, 0),
      middles: middles.map(moved),
      routes: routes.map((points) => points.map(moved)),
    };
  }
}
