import { describe, expect, it } from "vitest";
import { fedBy, feeding, gatesOf, loopOf, type Placed } from "./neighbours";

function placed(path: string, kind: string, inputs: number[], state: number | null = null): Placed {
  return { path, kind, call: 0, inputs, state_fan_in: state };
}

const ROWS = [
  placed("m/first", "LSTM", []),
  placed("m/first/forget", "LSTM", [], 8),
  placed("m/first/output", "LSTM", [], 8),
  placed("m/second", "GRU", [0]),
  placed("m/second/reset", "GRU", [0], 8),
  placed("m/out", "Add", [3, 0, 3]),
];

it("names what feeds a layer, and what it feeds", () => {
  expect([feeding(ROWS, 5), fedBy(ROWS, 0)]).toEqual([[3, 0], [3, 5]]);
});

it("has no neighbours of a layer that is not there", () => {
  expect([feeding(ROWS, -1), fedBy(ROWS, -1), gatesOf(ROWS, -1)]).toEqual([[], [], []]);
});

describe("the gates of a recurrent layer", () => {
  it("are the rows below its own path", () => {
    expect(gatesOf(ROWS, 0)).toEqual([1, 2]);
  });

  it("are a gate's own siblings, itself included", () => {
    expect(gatesOf(ROWS, 2)).toEqual([1, 2]);
  });

  it("lead to the layer that they are part of", () => {
    expect([loopOf(ROWS, 4), loopOf(ROWS, 3)]).toEqual([3, null]);
  });

  it("are none of another layer", () => {
    expect(gatesOf(ROWS, 5)).toEqual([]);
  });
});
