import { describe, expect, it } from "vitest";
import { COLOURS, NON_FINITE_COLOUR, pixel, PIXELS } from "./colormap";
import { columnsAt, type Picture, Raster } from "./raster";
import { Rollup } from "./rollup";
import { linear } from "./scale";

const LOWEST = PIXELS[0]!;
const HIGHEST = PIXELS[COLOURS - 1]!;
const BROKEN = pixel(NON_FINITE_COLOUR);

type Rows = readonly (readonly (number | null)[])[];

function lanes(rows: Rows, columns = rows[0]!.length): Rollup {
  const rollup = new Rollup(rows.length);
  for (let column = 0; column < columns; column++) {
    rollup.append(10 * column, (lane) => rows[lane]![column]!);
  }
  return rollup;
}

function pictureOf(rollup: Rollup, width: number, height: number, given: Partial<Picture> = {}): Picture {
  return {
    field: "last",
    scale: linear(0, 1),
    axis: { from: rollup.firstStep, to: rollup.lastStep },
    lanes: [0, rollup.lanes],
    width,
    height,
    gap: 0,
    ...given,
  };
}

function painted(rows: Rows, width: number, height: number, given: Partial<Picture> = {}): number[] {
  const rollup = lanes(rows);
  const raster = new Raster();
  raster.paint(rollup, pictureOf(rollup, width, height, given));
  return [...raster.pixels];
}

it("paints lanes from top to bottom and steps from left to right", () => {
  expect(painted([[0, 1], [1, 0]], 2, 2)).toEqual([LOWEST, HIGHEST, HIGHEST, LOWEST]);
});

it("paints the lanes that are chosen, with gaps between them", () => {
  expect(painted([[0], [1], [0]], 1, 4, { lanes: [1, 3], gap: 1 })).toEqual([HIGHEST, 0, LOWEST, 0]);
});

it("leaves transparent what was not sampled, and what lies beyond the history", () => {
  expect(painted([[null, 1]], 2, 1)).toEqual([0, HIGHEST]);
  expect(painted([[1, 1]], 4, 1, { axis: { from: 0, to: 40 } })).toEqual([HIGHEST, HIGHEST, 0, 0]);
  expect(painted([[1, 1]], 4, 1, { axis: { from: -40, to: 0 } })).toEqual([0, 0, 0, HIGHEST]);
});

describe("what is not finite", () => {
  it("has its own colour", () => {
    expect(painted([[NaN, Infinity]], 2, 1)).toEqual([BROKEN, BROKEN]);
  });

  it("is the bottom of the scale where it is the silence of a level", () => {
    expect(painted([[-Infinity, 1]], 2, 1, { scale: linear(0, 1, true) })).toEqual([LOWEST, HIGHEST]);
  });

  it("is not hidden by finite neighbours in the same pixel", () => {
    const row = Array.from({ length: 50 }, (_, column) => (column === 23 ? NaN : 0.5));
    expect(painted([row], 3, 1, { field: "max" })).toContain(BROKEN);
  });
});

it("shows one spike among many more columns and lanes than pixels", () => {
  const rows = Array.from({ length: 40 }, (_, lane) =>
    Array.from({ length: 90 }, (_, column) => (lane === 17 && column === 60 ? 1 : 0)),
  );
  expect(painted(rows, 7, 5, { field: "max" }).filter((colour) => colour === HIGHEST).length).toBe(1);
});

it.each([
  [5, 100],
  [100, 7],
  [1, 3],
  [64, 64],
])("leaves no column of %d out of %d pixels", (count, width) => {
  const rollup = lanes([Array.from({ length: count }, () => 0)]);
  for (const to of [rollup.lastStep, 1.3 * rollup.lastStep]) {
    const picture = pictureOf(rollup, width, 1, { axis: { from: 0, to } });
    const shown = new Set<number>();
    for (let x = 0; x < width; x++) {
      const [from, end] = columnsAt(rollup, picture, x);
      for (let column = from; column < end; column++) shown.add(column);
    }
    expect([...shown].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  }
});

it("what is added to a picture makes the one that is painted at once", () => {
  const rows = [0, 1, 2].map((lane) => Array.from({ length: 30 }, (_, column) => ((lane + 7 * column) % 11) / 10));
  for (const width of [9, 30, 101]) {
    const growing = lanes(rows, 2);
    const raster = new Raster();
    const picture = pictureOf(growing, width, 3, { axis: { from: 0, to: 300 }, field: "max" });
    raster.paint(growing, picture);
    for (let column = 2; column < 30; column++) {
      growing.append(10 * column, (lane) => rows[lane]![column]!);
      raster.paint(growing, picture);
      const whole = new Raster();
      whole.paint(lanes(rows, column + 1), picture);
      expect([...raster.pixels]).toEqual([...whole.pixels]);
    }
  }
});

it("paints only the end of what goes on", () => {
  const rollup = lanes([Array.from({ length: 50 }, () => 0.5)]);
  const raster = new Raster();
  const picture = pictureOf(rollup, 100, 1, { axis: { from: 0, to: 1_000 } });
  expect(raster.paint(rollup, picture)).toBe(0);
  rollup.append(500, () => 1);
  expect(raster.paint(rollup, picture)).toBe(47);
  expect(raster.paint(rollup, { ...picture, field: "min" })).toBe(0);
});

it("gives the columns of pixels that changed, line by line", () => {
  const raster = new Raster();
  raster.pixels = Uint32Array.of(1, 2, 3, 4, 5, 6);
  expect([...raster.from(1, 3)]).toEqual([2, 3, 5, 6]);
});

it("finds the nearest column of a step", () => {
  const rollup = lanes([[0, 0, 0]]);
  expect([-5, 4, 6, 14, 99].map((step) => rollup.columnAt(step))).toEqual([0, 0, 1, 1, 2]);
});
