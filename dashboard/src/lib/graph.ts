/** The model as boxes and arrows: rows, and the blocks that are folded into one box each. */

import { type Block, innermost, nameWithin } from "./blocks";
import type { Plan } from "./layout";
import type { Row } from "./wire";

export type Layer = Pick<Row, "id" | "path" | "kind"> & { readonly inputs: readonly number[] };

/** A row, or a folded block with all that is in it. */
export interface Box {
  from: number;
  /** One past the last row. */
  to: number;
  /** What it is called within the block around it. */
  name: string;
  /** Which block is folded into it; -1 where it is a row. */
  block: number;
  /** The open block around it; -1 where there is none. */
  frame: number;
}

export interface Arrow {
  /** Boxes, by their places in the list. */
  source: number;
  target: number;
  /** Whether only the order of the layers speaks for it: what lies between is no layer. */
  presumed: boolean;
}

export interface Graph {
  /** In the order of the rows. */
  boxes: Box[];
  /** One for each pair of boxes, whatever number of rows feed each other. */
  arrows: Arrow[];
  /** The blocks that are open, each before those inside it. */
  frames: number[];
  /** The box of each row. */
  boxOf: Int32Array;
}

/** What is visible of a model while some blocks are folded. */
export function graphOf(
  layers: readonly Layer[],
  blocks: readonly Block[],
  folded: ReadonlySet<number>,
): Graph {
  const outermost = new Int32Array(layers.length).fill(-1);
  const frames: number[] = [];
  blocks.forEach((block, index) => {
    // Blocks around come first, so that a folded one says so before those inside it.
    if (outermost[block.from] !== -1) return;
    if (folded.has(index)) outermost.fill(index, block.from, block.to);
    else frames.push(index);
  });
  const around = innermost(blocks, layers.length);
  const boxOf = new Int32Array(layers.length);
  const boxes: Box[] = [];
  for (let row = 0; row < layers.length;) {
    const block = outermost[row]!;
    const whole = blocks[block];
    const frame = whole === undefined ? around[row]! : whole.parent;
    const name = whole?.name ?? nameWithin(blocks[frame], layers[row]!.path);
    const to = whole?.to ?? row + 1;
    boxOf.fill(boxes.length, row, to);
    boxes.push({ from: row, to, name, block, frame });
    row = to;
  }
  return { boxes, arrows: arrowsOf(layers, blocks, boxOf), frames, boxOf };
}

/** 1 for each box that something feeds. */
export function fedBoxes({ boxes, arrows }: Graph): Uint8Array {
  const fed = new Uint8Array(boxes.length);
  for (const { target } of arrows) fed[target] = 1;
  return fed;
}

/** What has to be laid out. */
export function planOf(
  graph: Graph,
  blocks: readonly Block[],
  { across, line }: Pick<Plan, "across" | "line">,
): Plan {
  const places = new Map(graph.frames.map((block, frame) => [block, frame]));
  const placeOf = (block: number): number => places.get(block) ?? -1;
  return {
    frameOfBox: Int32Array.from(graph.boxes, ({ frame }) => placeOf(frame)),
    frameOfFrame: Int32Array.from(graph.frames, (block) => placeOf(blocks[block]!.parent)),
    arrows: Int32Array.from(graph.arrows.flatMap(({ source, target }) => [source, target])),
    across,
    line,
  };
}

function arrowsOf(layers: readonly Layer[], blocks: readonly Block[], boxOf: Int32Array): Arrow[] {
  const found = new Map<number, Arrow>();
  const add = (from: number, to: number, presumed: boolean): void => {
    const [source, target] = [boxOf[from], boxOf[to]!];
    // A schema that names rows which are not there draws nothing.
    if (source === undefined || source === target) return;
    const key = source * layers.length + target;
    const known = found.get(key);
    if (known === undefined) found.set(key, { source, target, presumed });
    else known.presumed &&= presumed;
  };
  layers.forEach(({ inputs }, row) => {
    for (const input of inputs) add(input, row, false);
  });
  const before = presumedSources(layers, blocks);
  layers.forEach((_, row) => {
    if (before[row]! >= 0) add(before[row]!, row, true);
  });
  return [...found.values()];
}

/**
 * For each row that nothing is known to feed, the row before it whose output nothing is known to
 * get; -1 where there is none. Between the two lies what is no layer: an operation inside a `call`,
 * or the inside of one of Keras's layers.
 */
export function presumedSources(layers: readonly Layer[], blocks: readonly Block[]): Int32Array {
  const isRead = new Uint8Array(layers.length);
  for (const { inputs } of layers) for (const input of inputs) isRead[input] = 1;
  // A gate is its layer looked at from inside: it neither feeds other layers nor waits for them.
  const isPart = new Uint8Array(layers.length);
  for (const { row, from, to } of blocks) {
    for (let other = from; row >= 0 && other < to; other++) {
      if (other !== row && layers[other]!.kind === layers[row]!.kind) isPart[other] = 1;
    }
  }
  const found = new Int32Array(layers.length).fill(-1);
  let last = -1;
  layers.forEach(({ inputs }, row) => {
    if (isPart[row]) return;
    if (inputs.length === 0) found[row] = last;
    if (!isRead[row]) last = row;
  });
  return found;
}
