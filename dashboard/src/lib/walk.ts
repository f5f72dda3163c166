/** Where the keyboard goes from a box of a graph: along the arrows, and to what stands beside. */

import { BOX } from "./box";
import type { Graph } from "./graph";

export type Direction = "on" | "back" | "before" | "after";

// What stands beside a box is no further along the flow, or back, than its own half.
const BESIDE = { across: BOX.width / 2 + 20, down: BOX.height / 2 + 20 };

/**
 * The box to go to; the same one where there is none.
 *
 * @param rectangles x, y, width and height of each box.
 * @param across Whether data flow from left to right, not from top to bottom.
 */
export function walk(
  graph: Graph,
  rectangles: Float64Array,
  across: boolean,
  from: number,
  direction: Direction,
): number {
  const flow = (box: number): number => rectangles[4 * box + (across ? 0 : 1)]!;
  const side = (box: number): number => rectangles[4 * box + (across ? 1 : 0)]!;
  const nearest = (boxes: readonly number[], distance: (box: number) => number): number =>
    boxes.reduce((best, box) => (distance(box) < distance(best) ? box : best), boxes[0] ?? from);
  if (direction === "before" || direction === "after") {
    const sign = direction === "after" ? 1 : -1;
    const reach = across ? BESIDE.across : BESIDE.down;
    const along = (box: number): number => Math.abs(flow(box) - flow(from));
    const beside = [...graph.boxes.keys()].filter(
      (box) => sign * (side(box) - side(from)) > 0 && along(box) <= reach,
    );
    return nearest(beside, (box) => Math.abs(side(box) - side(from)) + along(box));
  }
  const isOn = direction === "on";
  const joined = graph.arrows.flatMap(({ source, target }) => {
    if (isOn) return source === from ? [target] : [];
    return target === from ? [source] : [];
  });
  if (joined.length > 0) return nearest(joined, (box) => Math.abs(box - from));
  // Where no arrow leads on, the order of the layers does.
  return Math.min(Math.max(from + (isOn ? 1 : -1), 0), graph.boxes.length - 1);
}
