import { describe, expect, it } from "vitest";
import type { UnitMap } from "./api";
import { historyOf, nameOf, orderOf, summaryOf } from "./unit-map";

const MAP: UnitMap = {
  units: 3,
  groups: 3,
  steps: [10, 20],
  downsampled: false,
  pinned: Float32Array.of(0, 0, 1, 1, NaN, 1),
};

describe("a row", () => {
  it("is a unit where there is room for all", () => {
    expect(nameOf(MAP, 2)).toBe("unit 2");
  });

  it("is a group of neighbours, and every unit is in one, where there is not", () => {
    const map = { ...MAP, units: 7 };
    expect([0, 1, 2].map((group) => nameOf(map, group))).toEqual(["units 0 to 1", "units 2 to 3", "units 4 to 6"]);
  });
});

it("puts the longest pinned first, those alike as they were", () => {
  expect([orderOf(MAP, true), orderOf(MAP, false)]).toEqual([
    [1, 2, 0],
    [0, 1, 2],
  ]);
});

it("is a history whose lanes are in that order, with gaps where nothing was sampled", () => {
  const history = historyOf(MAP, [2, 0, 1]);
  expect([0, 1, 2].map((lane) => history.value("last", lane, 0))).toEqual([null, 0, 1]);
  expect(history.value("last", 0, 1)).toBe(1);
});

it.each([
  [[0, 0, 1, 1, 0, 1], "2 of the 3 units are pinned now."],
  [[0, 0, 1, 1, 0, 0], "1 of the 3 units is pinned now."],
  [[1, 0, 1, 0, 1, NaN], "None of the 3 units is pinned now."],
])("counts what is pinned at the newest step of %j", (pinned, words) => {
  expect(summaryOf({ ...MAP, pinned: Float32Array.from(pinned) })).toBe(words);
});

it("says that the units were not sampled, rather than that none is pinned", () => {
  const map = { units: 2, groups: 2, steps: [1, 2], downsampled: false, pinned: Float32Array.of(1, NaN, 0, NaN) };
  expect(summaryOf(map)).toBe("The units were not sampled at the newest step.");
});
