import { expect, it } from "vitest";
import { bandsOf } from "./bands";

it("groups neighbours by their innermost block, and leaves alone what is in none", () => {
  const paths = [
    "net/conv1_conv",
    "net/conv1_bn",
    "net/conv2_block1_1_conv",
    "net/conv2_block1_1_bn",
    "net/conv2_block2_1_conv",
    "net/conv2_block2_1_bn",
    "net/predictions",
  ];
  expect(bandsOf(paths)).toEqual([
    { name: "conv1", from: 0, to: 2 },
    { name: "conv2 / block1", from: 2, to: 4 },
    { name: "conv2 / block2", from: 4, to: 6 },
  ]);
});

it("has none where nothing tells groups", () => {
  expect(bandsOf(["net/a", "net/b", "net/c"])).toEqual([]);
  expect(bandsOf([])).toEqual([]);
});
