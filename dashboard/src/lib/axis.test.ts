import { describe, expect, it } from "vitest";
import { axisOf, stepAt, stepsBetween, xOf, zoomed } from "./axis";

const RUN = { firstStep: 10, lastStep: 110 };

describe("the axis", () => {
  it("of a run that is over ends with its last step", () => {
    expect(axisOf(RUN, null, false)).toEqual({ from: 10, to: 110 });
  });

  it("of a run that goes on has room for what comes, and keeps still meanwhile", () => {
    const ends = [100, 101, 104, 105].map((last) => axisOf({ firstStep: 0, lastStep: last }, null, true).to);
    expect(ends).toEqual([104, 104, 104, 112]);
  });

  it("never leaves more than an eighth empty, and never cuts off a step", () => {
    for (let last = 1; last < 3_000; last += 7) {
      const { to } = axisOf({ firstStep: 0, lastStep: last }, null, true);
      expect(to).toBeGreaterThanOrEqual(last);
      expect(to - last).toBeLessThanOrEqual(Math.max(1, last / 8));
    }
  });

  it("is the reader's where they chose one", () => {
    expect(axisOf(RUN, { from: 20, to: 30 }, true)).toEqual({ from: 20, to: 30 });
  });
});

it("places steps and finds them again", () => {
  const axis = { from: 10, to: 110 };
  expect([10, 60, 110].map((step) => xOf(axis, step, 200))).toEqual([0, 100, 200]);
  expect([0, 100, 200].map((x) => stepAt(axis, x, 200))).toEqual([10, 60, 110]);
  expect(xOf({ from: 5, to: 5 }, 5, 200)).toBe(100);
});

it("zooms around a step, and stays within the run", () => {
  const all = { from: 0, to: 1_000 };
  expect(zoomed(all, all, 500, 0.5)).toEqual({ from: 250, to: 750 });
  expect(zoomed(all, all, 1_000, 0.5)).toEqual({ from: 500, to: 1_000 });
  expect(zoomed({ from: 250, to: 750 }, all, 300, 2)).toBeNull();
});

it("chooses whole steps in their order, two at least", () => {
  expect(stepsBetween(20.4, 9.6)).toEqual({ from: 10, to: 20 });
  expect(stepsBetween(7, 7)).toEqual({ from: 7, to: 8 });
});
