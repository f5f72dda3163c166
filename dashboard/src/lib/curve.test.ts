import { expect, it } from "vitest";
import { heightsOf, stretch, valueOn } from "./curve";

const RELU = { z: [-2, -1, 0, 1, 2], f: [0, 0, 0, 1, 2] };

it.each([
  [0.5, 0.5],
  [-5, 0],
  [7, 7],
  [2, 2],
])("reads the curve at %d", (z, f) => {
  expect(valueOn(RELU, z)).toBe(f);
});

it("cuts a stretch out of the curve, with its ends on it", () => {
  expect(stretch(RELU, -0.5, 1.5)).toEqual({ z: [-0.5, 0, 1, 1.5], f: [0, 0, 1, 1.5] });
});

it("goes on beyond what was sampled", () => {
  expect(stretch(RELU, 3, 5)).toEqual({ z: [3, 5], f: [3, 5] });
});

it("stays at the bound that it had almost reached", () => {
  const sigmoid = { z: [-12, -11, 11, 12], f: [0.000006, 0.00002, 0.99998, 0.999994] };
  expect([valueOn(sigmoid, 100), valueOn(sigmoid, -100)]).toEqual([0.999994, 0.000006]);
});

it("leaves room around a curve that is flat", () => {
  expect(heightsOf({ z: [3, 5], f: [1, 1] })).toEqual({ low: 0, high: 2 });
});
