import { describe, expect, it } from "vitest";
import { graphOf } from "./graph";
import { type Direction, walk } from "./walk";

// A diamond: a feeds b and c, one below the other, which feed d; e comes after all without a source.
const LAYERS = ["a", "b", "c", "d", "e"].map((path, row) => ({
  id: path,
  path,
  kind: "Dense",
  inputs: [[], [0], [0], [1, 2], [9]][row]!,
}));
const GRAPH = graphOf(LAYERS, [], new Set());
const PLACES = [
  [0, 50],
  [200, 0],
  [200, 100],
  [400, 50],
  [0, 300],
];
const ACROSS = Float64Array.from(PLACES.flatMap(([x, y]) => [x!, y!, 100, 40]));
const DOWN = Float64Array.from(PLACES.flatMap(([x, y]) => [y!, x!, 100, 40]));

function from(start: string, direction: Direction, across = true): string {
  const box = GRAPH.boxes.findIndex(({ name }) => name === start);
  return GRAPH.boxes[walk(GRAPH, across ? ACROSS : DOWN, across, box, direction)]!.name;
}

describe.each([
  ["left to right", true],
  ["top to bottom", false],
])("the keyboard in a graph from %s", (_, across) => {
  it.each([
    ["on", "a", "b"],
    ["on", "b", "d"],
    ["back", "d", "c"],
    ["back", "c", "a"],
    ["after", "b", "c"],
    ["before", "c", "b"],
  ] as const)("goes %s from %s to %s", (direction, start, end) => {
    expect(from(start, direction, across)).toBe(end);
  });

  it.each([
    ["on", "d", "e"],
    ["back", "e", "d"],
    ["back", "a", "a"],
    ["on", "e", "e"],
  ] as const)("goes %s from %s to %s, where no arrow leads", (direction, start, end) => {
    expect(from(start, direction, across)).toBe(end);
  });

  it("stays where nothing is beside", () => {
    expect(from("d", "after", across)).toBe("d");
  });
});
