import { expect, it } from "vitest";
import { shortened } from "./shortened";

it.each([
  ["dense", 5, "dense"],
  ["layer_normalization", 18, "layer_nor…lization"],
  ["😀😀😀😀😀😀", 4, "😀😀…😀"],
  ["abc", 0, "a…"],
])("%s in %d characters is %s", (name, characters, expected) => {
  expect(shortened(name, characters)).toBe(expected);
});
