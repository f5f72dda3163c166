import { describe, expect, it } from "vitest";
import { ticks } from "./ticks";

describe("ticks", () => {
  it.each([
    [1, 891, 9, [100, 200, 300, 400, 500, 600, 700, 800]],
    [1, 891, 3, [200, 400, 600, 800]],
    [0, 10, 5, [0, 2, 4, 6, 8, 10]],
    [1_000_000, 1_000_400, 4, [1_000_000, 1_000_100, 1_000_200, 1_000_300, 1_000_400]],
  ])("between %d and %d are round", (low, high, wanted, expected) => {
    expect(ticks(low, high, wanted)).toEqual(expected);
  });

  it("are whole, because steps are", () => {
    expect(ticks(7, 9, 20)).toEqual([7, 8, 9]);
  });

  it("of a run's first sample are that one step", () => {
    expect(ticks(10, 10, 5)).toEqual([10]);
  });

  it("are about as many as wanted, and lie within", () => {
    for (let high = 2; high < 5_000; high += 37) {
      const found = ticks(1, high, 8);
      expect(found.length).toBeLessThanOrEqual(14);
      expect(found.every((tick) => tick >= 1 && tick <= high)).toBe(true);
      if (high > 20) expect(found.length).toBeGreaterThanOrEqual(3);
    }
  });
});
