import { expect, it } from "vitest";
import { pythonNumber } from "./python";

it.each([
  [0.0000017, "1.7e-06"],
  [0.0001, "0.0001"],
  [0.00961, "0.0096"],
  [0.099999, "0.1"],
  [0.000099999, "0.0001"],
  [64, "64"],
  [100, "1e+02"],
  [-2.5, "-2.5"],
  [0, "0"],
])("in two digits %d is %s, as Python's format .2g has it", (value, text) => {
  expect(pythonNumber(value, 2, 2)).toBe(text);
});

it.each([
  [1e-7, "1e-07"],
  [131_072, "131072"],
  [1e15, "1000000000000000"],
  [1e20, "1e+20"],
])("%d is %s, as Python's repr has it", (value, text) => {
  expect(pythonNumber(value, 7)).toBe(text);
});
