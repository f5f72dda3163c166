import { describe, expect, it } from "vitest";
import { type Block, blocksOf, innermost, nameWithin } from "./blocks";

function short({ name, from, to, depth }: Block): string {
  return `${"  ".repeat(depth)}${name} ${from}-${to}`;
}

function blocks(...paths: string[]): string[] {
  return blocksOf(paths).map(short);
}

describe("blocks by paths", () => {
  it("are the layers that hold others", () => {
    expect(blocks("encoder/first", "encoder/second", "classes")).toEqual(["encoder 0-2"]);
  });

  it("lie in each other", () => {
    expect(blocks("m/a/x/1", "m/a/x/2", "m/a/y", "m/b")).toEqual(["a 0-3", "  x 0-2"]);
  });

  it("do not include what all rows lie in", () => {
    expect(blocks("model/core/a", "model/core/b")).toEqual([]);
  });

  it("hold at least two rows", () => {
    expect(blocks("encoder/first", "classes/only", "last")).toEqual([]);
  });

  it("are one of both names where one holds nothing but the other", () => {
    expect(blocks("a/b/1", "a/b/2", "last")).toEqual(["a/b 0-2"]);
  });

  it("begin anew where rows of others stand between", () => {
    expect(blocks("core/a", "core/b", "join", "core/a", "core/b")).toEqual([
      "core 0-2",
      "core 3-5",
    ]);
  });

  it("begin anew where the same layers are called again at once", () => {
    expect(blocks("tower/a", "tower/b", "tower/a", "tower/b", "join")).toEqual([
      "tower 0-2",
      "tower 2-4",
    ]);
  });

  it("know the row that is the layer whose parts the others are", () => {
    const [lstm] = blocksOf(["lstm", "lstm/input", "lstm/forget", "dense"]);
    expect([lstm!.from, lstm!.to, lstm!.row]).toEqual([0, 3, 0]);
    const [attention] = blocksOf(["mha/query", "mha/key", "mha", "mha/value", "add"]);
    expect([attention!.from, attention!.to, attention!.row]).toEqual([0, 4, 2]);
  });

  it("have no such row where no layer of the name was watched", () => {
    expect(blocksOf(["a/x", "a/y", "b"])[0]!.row).toBe(-1);
  });
});

describe("blocks by names", () => {
  it.each([
    [
      "ResNet",
      [
        "conv2_block1_1_conv",
        "conv2_block1_1_bn",
        "conv2_block2_1_conv",
        "conv2_block2_out",
        "avg_pool",
      ],
      ["conv2 0-4", "  block1 0-2", "  block2 2-4"],
    ],
    [
      "MobileNetV2",
      ["block_3_expand", "block_3_add", "block_4_expand", "block_4_add"],
      ["block_3 0-2", "block_4 2-4"],
    ],
    [
      "EfficientNet",
      ["stem_conv", "stem_bn", "block2a_dwconv", "block2a_bn", "top_conv", "top_bn"],
      ["stem 0-2", "block2a 2-4", "top 4-6"],
    ],
    [
      "MobileNetV3",
      [
        "expanded_conv_project",
        "expanded_conv_add",
        "expanded_conv_1_expand",
        "expanded_conv_1_add",
      ],
      ["expanded_conv 0-2", "expanded_conv_1 2-4"],
    ],
    [
      "ConvNeXt",
      [
        "convnext_tiny_stage_0_block_0_gelu",
        "convnext_tiny_stage_0_block_0_identity",
        "convnext_tiny_stage_0_block_1_gelu",
        "head",
      ],
      ["convnext_tiny_stage_0 0-3", "  block_0 0-2"],
    ],
    [
      "RegNet",
      ["regnetx002_Stage_0_XBlock_1_conv", "regnetx002_Stage_0_XBlock_1_relu", "last"],
      ["regnetx002_Stage_0_XBlock_1 0-2"],
    ],
    ["VGG", ["block1_conv1", "block1_pool", "flatten", "fc1", "fc2"], ["block1 0-2"]],
  ])("are those of %s", (_, paths, expected) => expect(blocks(...paths)).toEqual(expected));

  it("are found below a path", () => {
    expect(blocks("backbone/block1_conv", "backbone/block1_bn", "backbone/bn", "head")).toEqual([
      "backbone 0-3",
      "  block1 0-2",
    ]);
  });

  it("include what was left to name itself in between", () => {
    expect(blocks("block_1_conv", "re_lu_3", "block_1_add", "add_7", "out")).toEqual([
      "block_1 0-3",
    ]);
  });

  it("do not include what is more than a few layers", () => {
    const between = Array.from({ length: 4 }, (_, index) => `dense_${index}`);
    expect(blocks("block_1_a", "block_1_b", ...between, "block_1_c", "block_1_d")).toEqual([
      "block_1 0-2",
      "block_1 6-8",
    ]);
  });

  it.each([
    ["dense", "dense_1", "dense_2"],
    ["conv2d", "conv2d_1", "conv2d_2"],
    ["layer_1", "layer_2"],
    ["batch_normalization_1", "activation_1"],
  ])("are none of %s, %s", (...paths) => expect(blocks(...paths)).toEqual([]));
});

it("take time by the number of rows", () => {
  const paths = Array.from(
    { length: 20_000 },
    (_, row) => `m/stage_${row >> 9}_block_${row >> 4}_${row}`,
  );
  const started = performance.now();
  expect(blocksOf(paths)).toHaveLength(1_290);
  expect(performance.now() - started).toBeLessThan(2_000);
});

it("a name of any length is read in no time", () => {
  const started = performance.now();
  blocksOf(["a".repeat(100_000), "a_".repeat(50_000), "block".repeat(20_000)]);
  expect(performance.now() - started).toBeLessThan(1_000);
});

it("are none of no rows", () => {
  expect(blocksOf([])).toEqual([]);
});

it("the innermost one of each row is told", () => {
  const paths = ["a/x/1", "a/x/2", "a/y", "b"];
  expect([...innermost(blocksOf(paths), 4)]).toEqual([1, 1, 0, -1]);
});

it.each([
  ["conv2_block1_1_conv", "1_conv"],
  ["conv2_block1", "conv2_block1"],
])("%s is called %s in its block", (path, expected) => {
  const block = blocksOf(["conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1", "out"])[0];
  expect(nameWithin(block, path)).toBe(expected);
});

it("a row in no block is called by the end of its path", () => {
  expect(nameWithin(undefined, "model/dense")).toBe("dense");
});
