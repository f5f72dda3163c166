/** Breaks a long row of layers into lines, as text is, so that it fills a page and not a ribbon. */

import type { Arranged, Point, Size, Way } from "./arrange";

const BETWEEN_LINES = 44;
const MARGIN = 22;
const LANE = 9;
// A line ends where no more ways than these go on: each needs a lane back to the next line.
const MOST_LANES = 3;
// How much shorter or longer than wanted a line may be, so as to end at a better place.
const SHORTER = 0.6;
const LONGER = 1.3;

/**
 * The same in lines.
 *
 * @param sizes Of each place.
 * @param least Lines are not made shorter than this.
 * @param ratio How much wider than high it is to become.
 */
export function wrapped(
  arranged: Arranged,
  sizes: readonly Size[],
  ways: readonly Way[],
  least: number,
  ratio: number,
): Arranged {
  const { width, height, middles, routes } = arranged;
  const wanted = Math.max(least, Math.sqrt(width * ratio * (height + BETWEEN_LINES)));
  if (width <= wanted * LONGER) return arranged;
  const columns = columnsOf(middles, sizes, ways);
  const lines = linesOf(columns, width / Math.ceil(width / wanted));
  if (lines.length < 2) return arranged;

  const lineAt = ({ x }: Point): number => lines.findLastIndex(({ left }) => left <= x + 1);
  const places = middles.map(lineAt);
  ways.forEach(({ source, target }, way) => {
    for (let line = places[source]!; line < places[target]!; line++) lines[line]!.leaving.push(way);
  });
  const cover = (point: Point, { height: own }: Size): void => {
    const line = lines[lineAt(point)]!;
    line.top = Math.min(line.top, point.y - own / 2);
    line.bottom = Math.max(line.bottom, point.y + own / 2);
  };
  middles.forEach((middle, place) => cover(middle, sizes[place]!));
  for (const point of routes.flat()) cover(point, { width: 0, height: 0 });
  const lanes = MARGIN + LANE * Math.max(...lines.map(({ leaving }) => leaving.length));
  let y = 0;
  for (const line of lines) {
    line.x = lanes - line.left;
    line.y = y - line.top;
    y += line.bottom - line.top + BETWEEN_LINES + LANE * line.leaving.length;
  }
  const moved = (point: Point): Point => {
    const line = lines[lineAt(point)]!;
    return { x: point.x + line.x, y: point.y + line.y };
  };
  const ends = middles.map(moved);
  return {
    width: 2 * lanes + Math.max(...lines.map(({ left, right }) => right - left)),
    height: y - BETWEEN_LINES,
    middles: ends,
    routes: routes.map((points, way) => {
      const { source, target, begin, end } = ways[way]!;
      const route: Point[] = [];
      let at = beside(ends[source]!, begin);
      for (let line = places[source]!; line <= places[target]!; line++) {
        const own = points.filter((point) => lineAt(point) === line).map(moved);
        const next = own[0] ?? (line === places[target] ? beside(ends[target]!, end) : at);
        if (line > places[source]!)
          route.push(...connector(lines[line - 1]!, way, lanes, at, next));
        route.push(...own);
        at = own.at(-1) ?? next;
      }
      return route;
    }),
  };
}

/** Places above each other: nothing but ways lies between two columns. */
interface Column {
  left: number;
  right: number;
  /** How many ways go on to the next column. */
  leaving: number;
  /** Whether it holds ports only, which stay with what is beside them. */
  isEmpty: boolean;
}

interface Line {
  left: number;
  right: number;
  top: number;
  bottom: number;
  /** How far what is in it moves. */
  x: number;
  y: number;
  /** The ways that go on to the next line. */
  leaving: number[];
}

function beside({ x, y }: Point, distance: number): Point {
  return { x, y: y + distance };
}

/** From the end of a line, below it, to the beginning of the next. */
function connector(line: Line, way: number, lanes: number, from: Point, to: Point): Point[] {
  const lane = LANE * line.leaving.indexOf(way);
  const right = line.right + line.x + MARGIN + lane;
  const left = lanes - MARGIN - lane;
  const below = line.bottom + line.y + BETWEEN_LINES / 2 + lane;
  return [
    { x: right, y: from.y },
    { x: right, y: below },
    { x: left, y: below },
    { x: left, y: to.y },
  ];
}

function columnsOf(
  middles: readonly Point[],
  sizes: readonly Size[],
  ways: readonly Way[],
): Column[] {
  const byMiddle = new Map<number, Column>();
  middles.forEach(({ x }, place) => {
    const half = sizes[place]!.width / 2;
    const known = byMiddle.get(Math.round(x)) ?? { left: x, right: x, leaving: 0, isEmpty: true };
    known.left = Math.min(known.left, x - half);
    known.right = Math.max(known.right, x + half);
    known.isEmpty &&= half === 0;
    byMiddle.set(Math.round(x), known);
  });
  const columns = [...byMiddle.values()].sort((left, right) => left.left - right.left);
  const order = new Map(columns.map((column, index) => [column, index]));
  const columnOf = middles.map(({ x }) => order.get(byMiddle.get(Math.round(x))!)!);
  for (const { source, target } of ways) {
    for (let at = columnOf[source]!; at < columnOf[target]!; at++) columns[at]!.leaving++;
  }
  return columns;
}

/** Lines of about the wanted width, each ending where the fewest ways go on. */
function linesOf(columns: readonly Column[], wanted: number): Line[] {
  const lines: Line[] = [];
  const end = columns.at(-1)!.right;
  for (let first = 0; first < columns.length;) {
    const { left } = columns[first]!;
    let last = columns.length - 1;
    let fewest = MOST_LANES + 1;
    for (let at = first; at < columns.length - 1 && end - left > LONGER * wanted; at++) {
      const { right, leaving } = columns[at]!;
      const isShort = right - left < SHORTER * wanted;
      const isLong = right - left > LONGER * wanted;
      if (isLong && fewest <= MOST_LANES) break;
      const isByPort = columns[at]!.isEmpty || columns[at + 1]!.isEmpty;
      if (isShort || isByPort || leaving > MOST_LANES) continue;
      const nearer = Math.abs(right - left - wanted);
      const best = columns[last]!.right - left - wanted;
      if (leaving < fewest || (leaving === fewest && nearer < Math.abs(best)))
        [last, fewest] = [at, leaving];
    }
    const { right } = columns[last]!;
    lines.push({ left, right, top: Infinity, bottom: -Infinity, x: 0, y: 0, leaving: [] });
    first = last + 1;
  }
  return lines;
}
