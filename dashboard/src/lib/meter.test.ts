import { expect, it } from "vitest";
import {
  decibels,
  height,
  HIGHEST_DB,
  isBroken,
  LOWEST_DB,
  partsOf,
  type Reading,
  TICKS,
} from "./meter";

function reading(given: Partial<Reading>): Reading {
  return { level: 5, peak: null, headroom: null, broken: false, clipped: false, ...given };
}

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

it("lights up to the level, with a mark at the headroom and at the peak", () => {
  expect(partsOf(reading({ headroom: 50, peak: 27.5 }))).toEqual({
    lit: 0.5,
    limit: 1,
    peak: 0.75,
    headroom: 1,
    lamp: "off",
    word: "",
  });
});

it("has its lamp on over the headroom, and held after a clip", () => {
  expect(partsOf(reading({ headroom: 4 })).lamp).toBe("on");
  expect(partsOf(reading({ headroom: 6, clipped: true })).lamp).toBe("held");
  expect(partsOf(reading({ level: null, headroom: 6 })).lamp).toBe("off");
});

it.each([
  ["NaN", NaN, "NaN"],
  ["infinite", Infinity, "∞"],
  ["NaN in part, whatever the level of the rest", 5, "NaN"],
])("where what is measured is %s nothing is lit", (_, level, word) => {
  const parts = partsOf(reading({ level, peak: 20, broken: true }));
  expect([parts.lit, parts.peak, parts.lamp, parts.word]).toEqual([0, null, "on", word]);
});
