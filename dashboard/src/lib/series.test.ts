import { expect, it } from "vitest";
import { Rollup } from "./rollup";
import { nonFiniteOf, plotData } from "./series";

it("has the steps, then of each lane the lowest, highest and last values", () => {
  const rollup = new Rollup(2, 2);
  for (const step of [1, 2, 3]) rollup.append(step, (lane) => 10 * lane + step);
  expect(plotData(rollup)).toEqual([[2, 3], [1, 3], [2, 3], [2, 3], [11, 13], [12, 13], [12, 13]]);
});

it("leaves gaps where no line can go, and none where nothing was sampled", () => {
  const rollup = new Rollup(1);
  [1, null, NaN, Infinity].forEach((value, step) => rollup.append(step, () => value));
  expect(plotData(rollup)[3]).toStrictEqual([1, undefined, null, null]);
  expect(nonFiniteOf(rollup)).toBe(2);
});

it("takes some of the lanes, in their order; one that is not there is empty", () => {
  const rollup = new Rollup(2);
  rollup.append(7, (lane) => lane);
  expect(plotData(rollup, [1, -1]).slice(1)).toStrictEqual([[1], [1], [1], [undefined], [undefined], [undefined]]);
  rollup.append(8, () => NaN);
  expect(nonFiniteOf(rollup, [1])).toBe(1);
});
