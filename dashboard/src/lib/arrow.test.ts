import { describe, expect, it } from "vitest";
import { extents, outline } from "./arrow";

function across(...points: number[]): string {
  return outline(Float64Array.from(points), true);
}

describe("an arrow", () => {
  it("is a straight line along the flow", () => {
    expect(across(0, 5, 40, 5)).toBe("M0 5L40 5");
  });

  it("begins and ends along the flow where its ends are not in line", () => {
    expect(across(0, 0, 40, 20)).toBe("M0 0C20 0 20 20 40 20");
    expect(outline(Float64Array.of(0, 0, 40, 20), false)).toBe("M0 0C0 10 40 10 40 20");
  });

  it("turns round corners", () => {
    expect(across(0, 0, 50, 0, 50, 80, 0, 80)).toBe("M0 0L40 0Q50 0 50 10L50 70Q50 80 40 80L0 80");
  });

  it("turns sharper where there is less room", () => {
    expect(across(0, 0, 50, 0, 50, 8, 0, 8)).toContain("L46 0Q50 0 50 4");
  });

  it("has no corner where it goes straight on", () => {
    expect(across(0, 0, 50, 0, 90, 0)).toBe("M0 0L50 0L90 0");
  });
});

it("arrows cover the rectangle of their points", () => {
  const points = Float64Array.of(0, 5, 40, 1, 7, 7, 8, 9);
  expect([...extents(points, Int32Array.of(0, 4, 8))]).toEqual([0, 1, 40, 4, 7, 7, 1, 2]);
  expect(extents(new Float64Array(), Int32Array.of(0))).toHaveLength(0);
});
