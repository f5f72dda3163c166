import { describe, expect, it } from "vitest";
import { Rollup } from "./rollup";
import { linear, logarithmic, scaleOf } from "./scale";

function rollupOf(...values: number[]): Rollup {
  const rollup = new Rollup(values.length);
  rollup.append(1, (lane) => values[lane]!);
  return rollup;
}

function ends(statistic: string, ...values: number[]): [number, number] {
  const { low, high } = scaleOf(statistic, rollupOf(...values));
  return [low, high];
}

it("a linear scale places evenly and holds at its ends", () => {
  expect([-9, 0, 5, 10, 99].map(linear(0, 10).place)).toEqual([0, 0, 0.5, 1, 1]);
});

it("a linear scale of one value has that value at its beginning", () => {
  expect(linear(3, 3).place(3)).toBe(0);
});

it("a logarithmic scale places by factors, and what has no logarithm at the bottom", () => {
  const { place } = logarithmic(1, 10_000);
  expect(place(100)).toBeCloseTo(0.5);
  expect([0, -1].map(place)).toEqual([0, 0]);
});

describe("the scale of a heatmap", () => {
  it("of a share is all of it, whatever was sampled", () => {
    expect(ends("saturation_rate", 0.2, 0.3)).toEqual([0, 1]);
  });

  it("of levels has whole steps of 10 dB, and silence at its bottom", () => {
    expect(ends("pre_db", -3, 40.2, -Infinity)).toEqual([-10, 50]);
    expect(scaleOf("pre_db", rollupOf(1)).silence).toBe(true);
  });

  it("of levels reaches 80 dB down, however quiet one layer is", () => {
    expect(ends("pre_db", -400, 25)).toEqual([-50, 30]);
  });

  it("of magnitudes is logarithmic once they spread over orders of magnitude", () => {
    expect(scaleOf("pre_rms", rollupOf(0.01, 100)).logarithmic).toBe(true);
    expect(scaleOf("pre_rms", rollupOf(1, 50)).logarithmic).toBe(false);
    expect(scaleOf("pre_mean", rollupOf(-1, 500)).logarithmic).toBe(false);
  });

  it("leaves out what is not finite", () => {
    expect(ends("kernel_rms", 1, NaN, Infinity, 2)).toEqual([1, 2]);
  });

  it("of nothing but NaN still is one", () => {
    expect(ends("kernel_rms", NaN)).toEqual([0, 1]);
  });
});
