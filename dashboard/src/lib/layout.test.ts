import { describe, expect, it } from "vitest";
import { type Block, blocksOf } from "./blocks";
import { rectangleOf, type Rectangle } from "./camera";
import { type Graph, graphOf, type Layer, planOf } from "./graph";
import { type Layout, layOut } from "./layout";

/** Stages of blocks of four layers, with a shortcut around each block. */
function residual(stages: number, blocks: number): Layer[] {
  const layers: Layer[] = [];
  for (let stage = 0; stage < stages; stage++) {
    for (let block = 0; block < blocks; block++) {
      const before = layers.length - 1;
      const inputs = (extra: number[]): number[] =>
        [layers.length - 1, ...extra].filter((row) => row >= 0);
      for (const name of ["conv", "bn", "relu", "add"]) {
        const path = `stage${stage}_block${block}_${name}`;
        const row = { id: path, path, kind: name, inputs: inputs(name === "add" ? [before] : []) };
        layers.push(row);
      }
    }
  }
  return layers;
}

function laidOut(
  layers: readonly Layer[],
  folded: ReadonlySet<number>,
  across = true,
): { graph: Graph; layout: Layout; blocks: Block[] } {
  const blocks = blocksOf(layers.map(({ path }) => path));
  const graph = graphOf(layers, blocks, folded);
  return { graph, blocks, layout: layOut(planOf(graph, blocks, { across, line: 1_300 })) };
}

function contains(outer: Rectangle, inner: Rectangle): boolean {
  return (
    outer.x < inner.x &&
    outer.y < inner.y &&
    outer.x + outer.width > inner.x + inner.width &&
    outer.y + outer.height > inner.y + inner.height
  );
}

function overlap(one: Rectangle, other: Rectangle): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

describe.each([
  ["from left to right", true],
  ["from top to bottom", false],
])("a layout %s", (_, across) => {
  const { graph, layout, blocks } = laidOut(residual(3, 4), new Set([2]), across);
  const boxes = graph.boxes.map((_, box) => rectangleOf(layout.boxes, box));
  const frames = graph.frames.map((_, frame) => rectangleOf(layout.frames, frame));

  it("has no two boxes in one place", () => {
    boxes.forEach((one, index) => {
      for (const other of boxes.slice(index + 1)) expect(overlap(one, other)).toBe(false);
    });
  });

  it("has each box inside its frames, and outside all others", () => {
    graph.boxes.forEach(({ from, block }, box) => {
      frames.forEach((frame, index) => {
        const around = blocks[graph.frames[index]!]!;
        const isInside = around.from <= from && from < around.to;
        expect(contains(frame, boxes[box]!)).toBe(isInside);
        if (!isInside && block < 0) expect(overlap(frame, boxes[box]!)).toBe(false);
      });
    });
  });

  it("has frames inside those around them, below their titles", () => {
    graph.frames.forEach((block, frame) => {
      const parent = graph.frames.indexOf(blocks[block]!.parent);
      if (parent < 0) return;
      expect(contains(frames[parent]!, frames[frame]!)).toBe(true);
      expect(frames[frame]!.y - frames[parent]!.y).toBeGreaterThanOrEqual(30);
    });
  });

  it("has each arrow lead from the border of one box to that of the other", () => {
    graph.arrows.forEach(({ source, target }, arrow) => {
      const points = layout.points.subarray(layout.starts[arrow], layout.starts[arrow + 1]);
      const [from, to] = [boxes[source]!, boxes[target]!];
      const begin = across
        ? [from.x + from.width, from.y + from.height / 2]
        : [from.x + from.width / 2, from.y + from.height];
      const end = across ? [to.x, to.y + to.height / 2] : [to.x + to.width / 2, to.y];
      expect([...points.slice(0, 2)]).toEqual(begin);
      expect([...points.slice(-2)]).toEqual(end);
    });
  });

  it("has no arrow pass through a box between its ends", () => {
    graph.arrows.forEach((_, arrow) => {
      for (let at = layout.starts[arrow]! + 2; at < layout.starts[arrow + 1]! - 2; at += 2) {
        const point = { x: layout.points[at]!, y: layout.points[at + 1]!, width: 0, height: 0 };
        expect(boxes.some((box) => overlap(box, point))).toBe(false);
      }
    });
  });
});

it("a thousand layers of a hundred blocks are laid out in a moment", () => {
  const layers = residual(25, 10);
  const started = performance.now();
  const { layout } = laidOut(layers, new Set());
  expect(layout.boxes).toHaveLength(4 * 1_000);
  expect(performance.now() - started).toBeLessThan(5_000);
});

it("nothing is laid out of nothing", () => {
  expect(laidOut([], new Set()).layout).toMatchObject({ width: 0, height: 0 });
});
