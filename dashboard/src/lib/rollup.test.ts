import { describe, expect, it } from "vitest";
import { nearestColumn, Rollup, type Field, type History } from "./rollup";

const FIELDS: readonly Field[] = ["min", "max", "last"];

function filled(values: (number | null)[], capacity = 1_600): Rollup {
  const rollup = new Rollup(1, capacity);
  values.forEach((value, index) => rollup.append(10 * (index + 1), () => value));
  return rollup;
}

function columns(rollup: Rollup, field: Field): (number | null)[] {
  return Array.from({ length: rollup.columns }, (_, column) => rollup.value(field, 0, column));
}

describe("appended samples", () => {
  it("stand one in a column while there is room", () => {
    const rollup = filled([1, 2, 3]);
    expect([...rollup.steps.slice(0, 3)]).toEqual([10, 20, 30]);
    for (const field of FIELDS) expect(columns(rollup, field)).toEqual([1, 2, 3]);
    expect(rollup.downsampled).toBe(false);
  });

  it("that are in already are left out", () => {
    const rollup = filled([1, 2]);
    rollup.append(20, () => 9);
    rollup.append(15, () => 9);
    expect(columns(rollup, "last")).toEqual([1, 2]);
  });

  it("leave a gap where a lane has no value", () => {
    expect(columns(filled([1, null, 3]), "last")).toEqual([1, null, 3]);
  });

  it("keep NaN and infinities as what they were", () => {
    expect(columns(filled([NaN, -Infinity, Infinity]), "last")).toEqual([NaN, -Infinity, Infinity]);
  });
});

describe("where the room is used up", () => {
  it("pairs share a column with their lowest, highest and last value", () => {
    const rollup = filled([5, 1, 2, 8, 3], 4);
    expect([...rollup.steps.slice(0, rollup.columns)]).toEqual([20, 40, 50]);
    expect(columns(rollup, "min")).toEqual([1, 2, 3]);
    expect(columns(rollup, "max")).toEqual([5, 8, 3]);
    expect(columns(rollup, "last")).toEqual([1, 8, 3]);
    expect(rollup.downsampled).toBe(true);
  });

  it("the finite ends of a column that holds a NaN remain, and the NaN is known", () => {
    const rollup = filled([5, NaN, 1, 1, 1], 4);
    expect([rollup.value("min", 0, 0), rollup.value("max", 0, 0)]).toEqual([5, 5]);
    expect(rollup.kinds[0]).toBe(3);
  });

  it("a value beside nothing stays the last one", () => {
    expect(columns(filled([5, null, null, 7, 1], 4), "last")).toEqual([5, 7, 1]);
  });

  it("loses no spike however long the run", () => {
    const values = Array.from({ length: 10_000 }, (_, index) => (index === 4_321 ? 99 : index % 7));
    const rollup = filled(values, 16);
    const highest = columns(rollup, "max");
    expect(rollup.columns).toBeLessThanOrEqual(16);
    expect(highest.filter((value) => value === 99)).toHaveLength(1);
    const column = highest.indexOf(99);
    // Columns are named by the last step they hold.
    expect(rollup.steps[column]!).toBeGreaterThanOrEqual(43_220);
    expect(rollup.steps[column - 1]!).toBeLessThan(43_220);
    expect(rollup.lastStep).toBe(100_000);
  });

  it("holds what the plainest merging of the same samples holds", () => {
    const values = Array.from({ length: 777 }, (_, index) => Math.sin(index * index));
    const rollup = filled(values, 32);
    let from = 0;
    for (let column = 0; column < rollup.columns; column++) {
      const to = rollup.steps[column]! / 10;
      const held = values.slice(from, to).map(Math.fround);
      expect(rollup.value("min", 0, column)).toBe(Math.min(...held));
      expect(rollup.value("max", 0, column)).toBe(Math.max(...held));
      expect(rollup.value("last", 0, column)).toBe(held.at(-1));
      from = to;
    }
    expect(from).toBe(777);
  });
});

describe("a history of the server's", () => {
  const history: History = {
    steps: [10, 20],
    min: Float32Array.of(1, 2, 0, 0),
    max: Float32Array.of(3, NaN, 0, 0),
    last: Float32Array.of(2, 2, 0, 0),
    downsampled: true,
    exists: (cell) => cell < 2,
  };

  it("keeps its lanes, its gaps and that it is downsampled", () => {
    const rollup = Rollup.from(history, 2);
    expect(columns(rollup, "max")).toEqual([3, NaN]);
    expect([rollup.value("last", 1, 0), rollup.value("last", 1, 1)]).toEqual([null, null]);
    expect(rollup.downsampled).toBe(true);
  });

  it("goes on with the feed's samples", () => {
    const rollup = Rollup.from(history, 2);
    rollup.append(30, (lane) => lane + 7);
    expect([rollup.value("last", 0, 2), rollup.value("last", 1, 2)]).toEqual([7, 8]);
  });

  it("may be empty", () => {
    const none = new Float32Array();
    const rollup = Rollup.from(
      { steps: [], min: none, max: none, last: none, downsampled: false, exists: () => false },
      2,
    );
    rollup.append(10, () => 1);
    expect(columns(rollup, "last")).toEqual([1]);
  });
});

it("reads the column that is nearest to a step", () => {
  const steps = [0, 10, 20];
  expect([-5, 4, 6, 99].map((step) => nearestColumn(steps, 3, step))).toEqual([0, 0, 1, 2]);
  expect(nearestColumn([], 0, 3)).toBe(-1);
});
