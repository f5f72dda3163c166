import { expect, it } from "vitest";
import { decibels, height, HIGHEST_DB, isBroken, LOWEST_DB, TICKS } from "./meter";

it("stands between the ends of its scale", () => {
  expect([LOWEST_DB, 5, HIGHEST_DB].map(height)).toEqual([0, 0.5, 1]);
});

it("stays within its scale", () => {
  expect([-Infinity, -90, 90, Infinity].map(height)).toEqual([0, 0, 1, 1]);
});

it("is dark where there is no level to show", () => {
  expect([null, NaN].map(height)).toEqual([0, 0]);
});

it("is broken where a level is no number, but not where there is silence or no level", () => {
  expect([NaN, Infinity].map(isBroken)).toEqual([true, true]);
  expect([null, -Infinity, 0, 60].map(isBroken)).toEqual([false, false, false, false]);
});

it("has every tick within its scale", () => {
  for (const tick of TICKS) expect(LOWEST_DB + (HIGHEST_DB - LOWEST_DB) * height(tick)).toBeCloseTo(tick);
});

it("turns magnitudes into decibels", () => {
  expect([1, 10, 0].map(decibels)).toEqual([0, 20, -Infinity]);
  expect(decibels(null)).toBeNull();
});
