/** Lays out what a frame holds by sections, each joined to the next by one way only. */

import {
  type Arranged,
  arrange,
  type Contents,
  Extent,
  GAP,
  type Point,
  sizesOf,
  type Way,
} from "./arrange";

// How much more than the highest section the whole may cover.
const SLACK = 60;

/** Places from one to before another. */
interface Section {
  from: number;
  to: number;
  ways: number[];
  /** The way from the place before to its first one; -1 in the first section. */
  link: number;
}

export class Sections {
  // Models repeat themselves.
  private readonly known = new Map<string, Arranged>();

  arrange(contents: Contents): Arranged {
    const { ways } = contents;
    const sizes = sizesOf(contents);
    const middles: Point[] = [];
    const routes = ways.map((): readonly Point[] => []);
    let [left, highest, lowest, most] = [0, 0, 0, 0];
    for (const { from, to, ways: inside, link } of sectionsOf(ways, sizes.length)) {
      const arranged = this.section(part(contents, from, to, inside));
      most = Math.max(most, arranged.height + SLACK);
      let top = 0;
      const way = ways[link];
      if (way !== undefined) {
        const [source, target] = [middles[from - 1]!, arranged.middles[0]!];
        // What joins them is straight, unless that made a stair of many sections.
        const straight = source.y + way.begin - way.end - target.y;
        top = Math.min(Math.max(straight, lowest - most), highest + most - arranged.height);
        const edges = [
          { x: left, y: source.y + way.begin },
          { x: left + GAP, y: top + target.y + way.end },
        ];
        const before = source.x + sizes[from - 1]!.width / 2;
        const after = left + GAP + target.x - sizes[from]!.width / 2;
        routes[link] = edges.filter(({ x }) => before < x && x < after);
        left += GAP;
      }
      highest = Math.min(highest, top);
      lowest = Math.max(lowest, top + arranged.height);
      const moved = moving(left, top);
      middles.push(...arranged.middles.map(moved));
      inside.forEach((way, index) => (routes[way] = arranged.routes[index]!.map(moved)));
      left += arranged.width;
    }
    const extent = new Extent();
    middles.forEach((middle, place) => extent.cover(middle, sizes[place]));
    for (const point of routes.flat()) extent.cover(point);
    return extent.cut({ middles, routes });
  }

  private section(contents: Contents): Arranged {
    const sizes = sizesOf(contents);
    if (sizes.length === 1) {
      const { width, height } = sizes[0]!;
      return { width, height, middles: [{ x: width / 2, y: height / 2 }], routes: [] };
    }
    const key = JSON.stringify(contents);
    const arranged = this.known.get(key) ?? arrange(contents);
    this.known.set(key, arranged);
    return arranged;
  }
}

function moving(left: number, top: number): (point: Point) => Point {
  return ({ x, y }) => ({ x: left + x, y: top + y });
}

function sectionsOf(ways: readonly Way[], places: number): Section[] {
  // How many more ways there are between a place and the next one than before it.
  const more = new Int32Array(places);
  const links = new Int32Array(places).fill(-1);
  ways.forEach(({ source, target }, way) => {
    more[Math.min(source, target)]! += 1;
    more[Math.max(source, target)]! -= 1;
    if (target === source + 1) links[target] = way;
  });
  const sections: Section[] = [];
  const sectionOf = new Int32Array(places);
  let between = 0;
  for (let place = 0; place < places; place++) {
    if (place === 0 || (between === 1 && links[place]! >= 0)) {
      sections.push({ from: place, to: place, ways: [], link: links[place]! });
    }
    sections.at(-1)!.to = place + 1;
    sectionOf[place] = sections.length - 1;
    between += more[place]!;
  }
  ways.forEach(({ source, target }, way) => {
    const section = sectionOf[source]!;
    if (section === sectionOf[target]) sections[section]!.ways.push(way);
  });
  return sections;
}

/** Some of the places, and the ways between them. */
function part(contents: Contents, from: number, to: number, ways: readonly number[]): Contents {
  const { entries, items } = contents;
  const inside = items.slice(Math.max(from - entries, 0), Math.max(to - entries, 0));
  const before = Math.max(Math.min(to, entries) - from, 0);
  return {
    entries: before,
    items: inside,
    exits: to - from - before - inside.length,
    ways: ways.map((index) => {
      const way = contents.ways[index]!;
      return { ...way, source: way.source - from, target: way.target - from };
    }),
  };
}
