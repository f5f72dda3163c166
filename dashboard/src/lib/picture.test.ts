import { expect, it } from "vitest";
import { blocksOf } from "./blocks";
import { rectangleOf } from "./camera";
import { graphOf, planOf } from "./graph";
import { layOut } from "./layout";
import { held, type Picture } from "./picture";

const VIEW = { width: 400, height: 100 };
const PATHS = ["first", "a/1", "a/2", "b/x/1", "b/x/2", "b/3", "last"];
const BLOCKS = blocksOf(PATHS);
const LAYERS = PATHS.map((path, row) => ({
  id: path,
  path,
  kind: "Dense",
  inputs: row === 0 ? [] : [row - 1],
}));

function drawn(...folded: number[]): Picture {
  const graph = graphOf(LAYERS, BLOCKS, new Set(folded));
  const layout = layOut(planOf(graph, BLOCKS, { across: true, line: 5_000 }));
  return { blocks: BLOCKS, graph, layout, across: true };
}

it("a block that is unfolded stays where it was seen", () => {
  const [before, after] = [drawn(0, 1), drawn()];
  const box = rectangleOf(before.layout.boxes, before.graph.boxOf[3]!);
  const camera = { x: 60 - box.x, y: 20, scale: 1 };
  const next = held(1, before, camera, after, VIEW)!;
  const frame = rectangleOf(after.layout.frames, after.graph.frames.indexOf(1));
  expect(frame.x).not.toBe(box.x);
  expect(next.x + frame.x).toBeCloseTo(60);
  expect(next.scale).toBe(1);
});

it("a block that is now inside a folded one is nowhere to be held", () => {
  expect(held(2, drawn(2), { x: 0, y: 0, scale: 1 }, drawn(1), VIEW)).toBeNull();
});
