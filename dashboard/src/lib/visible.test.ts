import { expect, it } from "vitest";
import { visible } from "./visible";

it("is what the window shows and a little beyond", () => {
  expect(visible(1_000, 500, 100, 1_000, 2)).toEqual({ from: 8, to: 17 });
});

it("stays within the list", () => {
  expect(visible(0, 500, 100, 3, 2)).toEqual({ from: 0, to: 3 });
  expect(visible(9_000, 500, 100, 20, 2)).toEqual({ from: 20, to: 20 });
  expect(visible(0, 500, 100, 0, 2)).toEqual({ from: 0, to: 0 });
});
