import { describe, expect, it } from "vitest";
import { COLOURS, NON_FINITE_COLOUR, pixel, PIXELS } from "./colormap";
import { columnsOf, nearestColumn, raster, xOf } from "./raster";
import { Rollup } from "./rollup";
import { linear } from "./scale";

const LOWEST = PIXELS[0]!;
const HIGHEST = PIXELS[COLOURS - 1]!;
const BROKEN = pixel(NON_FINITE_COLOUR);

function lanes(...rows: (number | null)[][]): Rollup {
  const rollup = new Rollup(rows.length);
  rows[0]!.forEach((_, column) => rollup.append(10 * column, (lane) => rows[lane]![column]!));
  return rollup;
}

it("paints lanes from top to bottom and steps from left to right", () => {
  const pixels = raster(lanes([0, 1], [1, 0]), "last", linear(0, 1), 2, 2);
  expect([...pixels]).toEqual([LOWEST, HIGHEST, HIGHEST, LOWEST]);
});

it("leaves transparent what was not sampled", () => {
  expect([...raster(lanes([null, 1]), "last", linear(0, 1), 2, 1)]).toEqual([0, HIGHEST]);
});

describe("what is not finite", () => {
  it("has its own colour", () => {
    expect([...raster(lanes([NaN, Infinity]), "last", linear(0, 1), 2, 1)]).toEqual([BROKEN, BROKEN]);
  });

  it("is the bottom of the scale where it is the silence of a level", () => {
    expect([...raster(lanes([-Infinity, 1]), "last", linear(0, 1, true), 2, 1)]).toEqual([
      LOWEST,
      HIGHEST,
    ]);
  });

  it("is not hidden by finite neighbours in the same pixel", () => {
    const row = Array.from({ length: 50 }, (_, column) => (column === 23 ? NaN : 0.5));
    expect([...raster(lanes(row), "max", linear(0, 1), 3, 1)]).toContain(BROKEN);
  });
});

it("shows one spike among many more columns and lanes than pixels", () => {
  const rows = Array.from({ length: 40 }, (_, lane) =>
    Array.from({ length: 90 }, (_, column) => (lane === 17 && column === 60 ? 1 : 0)),
  );
  const pixels = [...raster(lanes(...rows), "max", linear(0, 1), 7, 5)];
  expect(pixels.filter((colour) => colour === HIGHEST).length).toBeGreaterThanOrEqual(1);
});

it.each([
  [5, 100],
  [100, 7],
  [1, 3],
  [64, 64],
])("leaves no column of %d out of %d pixels", (count, width) => {
  const { from, to } = columnsOf(lanes(Array.from({ length: count }, () => 0)), width);
  const shown = new Set<number>();
  for (let x = 0; x < width; x++) {
    expect(to[x]!).toBeGreaterThan(from[x]!);
    for (let column = from[x]!; column < to[x]!; column++) shown.add(column);
  }
  expect([...shown].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
});

it("finds the nearest column of a step, and a step's place", () => {
  const rollup = lanes([0, 0, 0]);
  expect([-5, 4, 6, 14, 99].map((step) => nearestColumn(rollup, step))).toEqual([0, 0, 1, 1, 2]);
  expect([0, 10, 20].map((step) => xOf(rollup, step, 100))).toEqual([0, 50, 100]);
  expect(xOf(lanes([0]), 0, 100)).toBe(50);
});
