import { describe, expect, it } from "vitest";
import { blocksOf } from "./blocks";
import { fedBoxes, type Graph, graphOf, type Layer, planOf, presumedSources } from "./graph";

/** Layers of a notation: `path < inputs`. */
function layers(...lines: string[]): Layer[] {
  return lines.map((line, row) => {
    const [path = "", inputs = ""] = line.split(" < ");
    const numbers = inputs === "" ? [] : inputs.split(" ").map(Number);
    return { id: `r${row}`, path, kind: path.includes("lstm") ? "LSTM" : "Dense", inputs: numbers };
  });
}

const RESIDUAL = layers("first", "core/a < 0", "core/b < 1", "core/c < 0", "join < 2 3", "out < 4");
const BLOCKS = blocksOf(RESIDUAL.map(({ path }) => path));

function arrows({ arrows, boxes }: Graph): string[] {
  return arrows.map(
    ({ source, target, presumed }) =>
      `${boxes[source]!.name} ${presumed ? "..>" : "->"} ${boxes[target]!.name}`,
  );
}

describe("a graph", () => {
  it("has a box for each row where nothing is folded", () => {
    const graph = graphOf(RESIDUAL, BLOCKS, new Set());
    expect(graph.boxes.map(({ name }) => name)).toEqual(["first", "a", "b", "c", "join", "out"]);
    expect(graph.frames).toEqual([0]);
    expect(arrows(graph)).toEqual([
      "first -> a",
      "a -> b",
      "first -> c",
      "b -> join",
      "c -> join",
      "join -> out",
    ]);
  });

  it("has one box for a folded block, at which arrows end, one for many", () => {
    const graph = graphOf(RESIDUAL, BLOCKS, new Set([0]));
    expect(graph.boxes.map(({ name, from, to }) => [name, from, to])).toEqual([
      ["first", 0, 1],
      ["core", 1, 4],
      ["join", 4, 5],
      ["out", 5, 6],
    ]);
    expect(graph.frames).toEqual([]);
    expect(arrows(graph)).toEqual(["first -> core", "core -> join", "join -> out"]);
    expect([...graph.boxOf]).toEqual([0, 1, 1, 1, 2, 3]);
  });

  it("shows nothing of what a folded block holds, open or not", () => {
    const rows = layers("a/x/1", "a/x/2 < 0", "a/y < 1", "b < 2");
    const graph = graphOf(rows, blocksOf(rows.map(({ path }) => path)), new Set([0]));
    expect([graph.boxes.length, graph.frames]).toEqual([2, []]);
  });

  it("draws nothing for inputs that are not there, nor from a row to itself", () => {
    expect(graphOf(layers("a < 0", "b < 9"), [], new Set()).arrows).toEqual([]);
  });

  it("tells which boxes something feeds", () => {
    expect([...fedBoxes(graphOf(RESIDUAL, BLOCKS, new Set([0])))]).toEqual([0, 1, 1, 1]);
  });
});

describe("where the inputs of a row are not known", () => {
  it("the order of layers speaks for the one before that feeds nothing either", () => {
    const rows = layers("a", "b < 0", "after", "last < 2");
    expect(arrows(graphOf(rows, [], new Set()))).toEqual([
      "a -> b",
      "after -> last",
      "b ..> after",
    ]);
  });

  it("a second input of the model is presumed to follow nothing", () => {
    const rows = layers("left", "right", "join < 0 1");
    expect([...presumedSources(rows, [])]).toEqual([-1, -1, -1]);
  });

  it("gates neither feed what follows nor wait for what was before", () => {
    const rows = layers("dense", "lstm", "lstm/input", "lstm/forget", "after");
    const found = presumedSources(rows, blocksOf(rows.map(({ path }) => path)));
    expect([...found]).toEqual([-1, 0, -1, -1, 1]);
  });

  it("an arrow that is known for some rows of a block is no presumption", () => {
    const rows = layers("a", "core/b < 0", "core/c", "d < 2");
    const graph = graphOf(rows, blocksOf(rows.map(({ path }) => path)), new Set([0]));
    expect(arrows(graph)).toEqual(["a -> core", "core -> d"]);
  });
});

it("a plan names frames by their places among those that are open", () => {
  const rows = layers("a/x", "a/y < 0", "b/x/1 < 1", "b/x/2 < 2", "b/y < 3");
  const blocks = blocksOf(rows.map(({ path }) => path));
  const plan = planOf(graphOf(rows, blocks, new Set([0])), blocks, { across: true, line: 900 });
  expect([...plan.frameOfBox]).toEqual([-1, 1, 1, 0]);
  expect([...plan.frameOfFrame]).toEqual([-1, 0]);
  expect([...plan.arrows]).toEqual([0, 1, 1, 2, 2, 3]);
});
