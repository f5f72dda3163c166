/** A graph as it is drawn, and how it is looked at when a block of it is folded or unfolded. */

import type { Size } from "./arrange";
import type { Block } from "./blocks";
import { BOX } from "./box";
import { type Camera, MARGIN, type Rectangle, rectangleOf, revealed } from "./camera";
import type { Graph } from "./graph";
import type { Layout } from "./layout";

export interface Picture {
  blocks: readonly Block[];
  graph: Graph;
  layout: Layout;
  /** Whether data flow from left to right, not from top to bottom. */
  across: boolean;
}

/** Where a block lies, open or folded; null where a block around it is folded. */
function placeOf(block: number, { graph, layout }: Picture): Rectangle | null {
  const frame = graph.frames.indexOf(block);
  if (frame >= 0) return rectangleOf(layout.frames, frame);
  const box = graph.boxes.findIndex((each) => each.block === block);
  return box < 0 ? null : rectangleOf(layout.boxes, box);
}

/**
 * Where to look from at another picture of the same blocks, so that one of them stays where the
 * reader looks; null where it is not in both pictures.
 */
export function held(
  block: number,
  before: Picture,
  camera: Camera,
  after: Picture,
  view: Size,
): Camera | null {
  const from = placeOf(block, before);
  const to = placeOf(block, after);
  if (from === null || to === null) return null;
  const { x, y, scale } = camera;
  const still = { x: x + scale * (from.x - to.x), y: y + scale * (from.y - to.y), scale };
  // Of one that does not fit into the view, its title does.
  const fits = (size: number, room: number): boolean => scale * size + 2 * MARGIN <= room;
  const shown = {
    ...to,
    width: fits(to.width, view.width) ? to.width : BOX.width,
    height: fits(to.height, view.height) ? to.height : BOX.height,
  };
  return revealed(still, shown, after.layout, view);
}
