/**
 * Where the boxes, frames and arrows of a graph lie.
 *
 * Each frame is laid out by itself and is one item of what is around it: that keeps its title and
 * its contents apart from everything else, and takes time by the size of frames, not of models.
 * An arrow crosses a frame's border at a port, one for each box that arrows come from.
 */

import type { Size } from "./arrange";
import { BOX } from "./box";
import { Frame, Item, type Piece } from "./frame";
import { Sections } from "./sections";

// The way from one layer to the next is the straight one, where a shortcut runs beside it.
const NEXT = 3;

/** Boxes and frames by their places in lists, a frame before those inside it. */
export interface Plan {
  /** For each box the frame around it; -1 where there is none. */
  frameOfBox: Int32Array;
  frameOfFrame: Int32Array;
  /** Pairs of boxes: where each arrow begins and ends. */
  arrows: Int32Array;
  /** Whether data flow from left to right, not from top to bottom. */
  across: boolean;
  /** How long a line of layers may be before it is broken into several. */
  line: number;
}

/** Coordinates from the upper left corner of the graph. */
export interface Layout extends Size {
  /** x, y, width and height of each. */
  boxes: Float64Array;
  frames: Float64Array;
  /** x and y of what the arrows pass, from the border of the first box to that of the last. */
  points: Float64Array;
  /** Where in `points` each arrow begins; one more number says where the last one ends. */
  starts: Int32Array;
}

export function layOut({ frameOfBox, frameOfFrame, arrows, across, line }: Plan): Layout {
  const outermost = new Frame(null);
  const frames: Frame[] = [];
  for (const around of frameOfFrame) frames.push(new Frame(frames[around] ?? outermost));
  const boxes = Array.from(frameOfBox, (frame) => new Item(frames[frame] ?? outermost, BOX));
  for (const box of boxes) box.around!.add(box);
  const ends = Array.from({ length: arrows.length / 2 }, (_, arrow) => {
    const [source, target] = [arrows[2 * arrow]!, arrows[2 * arrow + 1]!];
    return { source: boxes[source]!, target: boxes[target]!, isNext: target === source + 1 };
  });
  const ways = ends.map(({ source, target, isNext }) => piecesOf(source, target, isNext));
  outermost.arrange(across, line, new Sections());
  // Its corner is the origin of everything.
  outermost.middle = { x: outermost.size.width / 2, y: outermost.size.height / 2 };
  outermost.place(across);

  const half = across ? [BOX.width / 2, 0] : [0, BOX.height / 2];
  const lines = ways.map((pieces, arrow) => {
    const [from, to] = [ends[arrow]!.source.middle, ends[arrow]!.target.middle];
    const passed = pieces.flatMap(({ points }) => points.flatMap(({ x, y }) => [x, y]));
    return [from.x + half[0]!, from.y + half[1]!, ...passed, to.x - half[0]!, to.y - half[1]!];
  });
  const starts = new Int32Array(lines.length + 1);
  lines.forEach((line, arrow) => (starts[arrow + 1] = starts[arrow]! + line.length));
  return {
    ...outermost.size,
    boxes: rectangles(boxes),
    frames: rectangles(frames),
    points: Float64Array.from(lines.flat()),
    starts,
  };
}

/** The arrow between two boxes, as the parts of it that lie in the frames it passes. */
function piecesOf(from: Item, to: Item, isNext: boolean): Piece[] {
  const [outwards, inwards] = [from.chain, to.chain];
  const common = outwards.find((frame) => inwards.includes(frame))!;
  const leaving: Piece[] = [];
  let source = from;
  for (const frame of outwards.slice(0, outwards.indexOf(common))) {
    leaving.push(frame.join(from, source, frame.exit(from)));
    source = frame;
  }
  const entering: Piece[] = [];
  let target = to;
  for (const frame of inwards.slice(0, inwards.indexOf(common))) {
    entering.unshift(frame.join(from, frame.entry(from), target));
    target = frame;
  }
  const between = common.join(from, source, target, isNext ? NEXT : 1);
  return [...leaving, between, ...entering];
}

function rectangles(items: readonly Item[]): Float64Array {
  return Float64Array.from(
    items.flatMap(({ corner: { x, y }, size: { width, height } }) => [x, y, width, height]),
  );
}
