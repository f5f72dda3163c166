/** The boxes and frames of a graph while they are being laid out, frame by frame. */

import { type Arranged, type Contents, type Point, type Size, sizesOf } from "./arrange";
import { TITLE } from "./box";
import type { Sections } from "./sections";
import { wrapped } from "./wrap";

const PADDING = 16;
const POINT: Size = { width: 0, height: 0 };
// As much wider than high as a screen is.
const RATIO = 1.7;

/** What has its place in a frame: a box, a port, or another frame. */
export class Item {
  /** Where it lies in the whole graph, once the frames around it are placed. */
  middle: Point = { x: 0, y: 0 };

  constructor(
    readonly around: Frame | null,
    public size: Size,
  ) {}

  get corner(): Point {
    return { x: this.middle.x - this.size.width / 2, y: this.middle.y - this.size.height / 2 };
  }

  /** The frames around it, from the innermost. */
  get chain(): Frame[] {
    return this.around === null ? [] : [this.around, ...this.around.chain];
  }
}

/** The part of an arrow that lies in one frame. */
export interface Piece {
  source: Item;
  target: Item;
  weight: number;
  /** What it passes, once its frame is placed: where it crosses the border included. */
  points: Point[];
}

export class Frame extends Item {
  private readonly items: Item[] = [];
  /** Ports and pieces, by the boxes that their arrows come from. */
  private readonly entries = new Map<Item, Item>();
  private readonly exits = new Map<Item, Item>();
  private readonly pieces = new Map<Item, Piece[]>();
  private arranged: Arranged | null = null;

  constructor(around: Frame | null) {
    super(around, POINT);
  }

  /** Takes what comes, in the order of data flow, after all that it holds already. */
  add(item: Item): void {
    if (this.items.length === 0) this.around?.add(this);
    this.items.push(item);
  }

  /** The port at which arrows from a box come in. */
  entry(box: Item): Item {
    return this.port(this.entries, box);
  }

  /** The port at which arrows from a box leave. */
  exit(box: Item): Item {
    return this.port(this.exits, box);
  }

  private port(ports: Map<Item, Item>, box: Item): Item {
    const port = ports.get(box) ?? new Item(this, POINT);
    ports.set(box, port);
    return port;
  }

  /** Joins two of its items for all arrows of a box that pass both. */
  join(box: Item, source: Item, target: Item, weight = 1): Piece {
    const pieces = this.pieces.get(box) ?? [];
    this.pieces.set(box, pieces);
    const known = pieces.find((piece) => piece.source === source && piece.target === target);
    if (known !== undefined) return known;
    const piece: Piece = { source, target, weight, points: [] };
    pieces.push(piece);
    return piece;
  }

  /** Lays out what it holds, frames before what is around them, in lines of at least `line`. */
  arrange(across: boolean, line: number, sections: Sections): void {
    for (const item of this.items) if (item instanceof Frame) item.arrange(across, line, sections);
    const places = new Map(this.places.map((item, place) => [item, place]));
    const contents: Contents = {
      entries: this.entries.size,
      items: this.items.map(({ size }) => (across ? size : turnedSize(size))),
      exits: this.exits.size,
      ways: this.parts.map(([box, { source, target, weight }]) => ({
        source: places.get(source)!,
        target: places.get(target)!,
        weight,
        begin: source instanceof Frame ? source.beside(source.exit(box), across) : 0,
        end: target instanceof Frame ? target.beside(target.entry(box), across) : 0,
      })),
    };
    const inOneLine = sections.arrange(contents);
    const ratio = across ? RATIO : 1 / RATIO;
    const inLines = wrapped(inOneLine, sizesOf(contents), contents.ways, line, ratio);
    this.arranged = across ? inLines : turned(inLines);
    const { width, height } = this.arranged;
    const isBordered = this.around !== null;
    this.size = isBordered
      ? { width: width + 2 * PADDING, height: height + TITLE + PADDING }
      : { width, height };
  }

  /** How far beside its own middle a port of it is. */
  private beside(port: Item, across: boolean): number {
    const { x, y } = this.arranged!.middles[this.places.indexOf(port)]!;
    const { width, height } = this.size;
    return across ? TITLE + y - height / 2 : PADDING + x - width / 2;
  }

  /** Tells what it holds where it lies, once its own place is known. */
  place(across: boolean): void {
    const { middles, routes } = this.arranged!;
    const { x, y } = this.corner;
    const [left, top] = this.around === null ? [x, y] : [x + PADDING, y + TITLE];
    const moved = (point: Point): Point => ({ x: left + point.x, y: top + point.y });
    this.places.forEach((item, place) => (item.middle = moved(middles[place]!)));
    const [begin, end] = across
      ? [{ x }, { x: x + this.size.width }]
      : [{ y }, { y: y + this.size.height }];
    this.parts.forEach(([box, piece], way) => {
      piece.points = routes[way]!.map(moved);
      const { source, target } = piece;
      if (source === this.entries.get(box)) {
        piece.points.unshift({ ...source.middle, ...begin }, source.middle);
      }
      if (target === this.exits.get(box)) {
        piece.points.push(target.middle, { ...target.middle, ...end });
      }
    });
    for (const item of this.items) if (item instanceof Frame) item.place(across);
  }

  private get places(): Item[] {
    return [...this.entries.values(), ...this.items, ...this.exits.values()];
  }

  private get parts(): [Item, Piece][] {
    return [...this.pieces].flatMap(([box, pieces]) =>
      pieces.map((piece): [Item, Piece] => [box, piece]),
    );
  }
}

function turnedSize({ width, height }: Size): Size {
  return { width: height, height: width };
}

/** The same from top to bottom. */
function turned({ middles, routes, ...size }: Arranged): Arranged {
  const turn = ({ x, y }: Point): Point => ({ x: y, y: x });
  return {
    ...turnedSize(size),
    middles: middles.map(turn),
    routes: routes.map((points) => points.map(turn)),
  };
}
