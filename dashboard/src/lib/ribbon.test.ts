import { expect, it } from "vitest";
import { stretches } from "./ribbon";

it("is one piece while the term keeps its sign", () => {
  expect(stretches(null, [1, 2, 3])).toEqual([{ from: 0, to: 2, rising: true }]);
});

it("is another piece where the term takes away what it gave, without a gap between them", () => {
  expect(stretches([5, 5, 5, 5], [6, 7, 4, 3])).toEqual([
    { from: 0, to: 2, rising: true },
    { from: 2, to: 3, rising: false },
  ]);
});

it("is interrupted where either line is", () => {
  expect(stretches([0, 0, null, 0], [1, 1, 1, 1])).toEqual([
    { from: 0, to: 1, rising: true },
    { from: 3, to: 3, rising: true },
  ]);
});

it("is nothing without columns", () => {
  expect(stretches(null, [])).toEqual([]);
});
