import { expect, it } from "vitest";
import { DRAWN, LINE_SETS } from "./layer-lines";
import { MOST_SERIES } from "./statistic";

it("asks for no more statistics than one request may", () => {
  expect(DRAWN.length).toBeLessThanOrEqual(64);
});

it("draws no more lines together than can be told apart", () => {
  expect(Math.max(...LINE_SETS.map(({ statistics }) => statistics.length))).toBeLessThanOrEqual(MOST_SERIES);
});

it("asks for each statistic that it draws", () => {
  expect(LINE_SETS.flatMap(({ statistics }) => statistics).filter((id) => !DRAWN.includes(id))).toEqual([]);
});
