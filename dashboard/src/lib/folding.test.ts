import { describe, expect, it } from "vitest";
import { type Block, blocksOf } from "./blocks";
import { foldedAtFirst, foldedFrom, foldedText } from "./folding";

/** Stages of blocks of layers, and the model's last layer. */
function model(stages: number, blocks: number, layers: number): [Block[], number] {
  const paths = Array.from({ length: stages * blocks * layers }, (_, row) => {
    const block = Math.floor(row / layers);
    return `stage_${Math.floor(block / blocks)}/block_${block % blocks}/dense_${row % layers}`;
  });
  return [blocksOf([...paths, "last"]), paths.length + 1];
}

function names(blocks: readonly Block[], folded: ReadonlySet<number>): string[] {
  return [...folded].sort((left, right) => left - right).map((index) => blocks[index]!.path);
}

describe("at first", () => {
  it("a small model is open", () => {
    const [blocks, rows] = model(2, 3, 4);
    expect(foldedAtFirst(blocks, rows, [])).toEqual(new Set());
  });

  it("a large one has its innermost blocks folded where that is enough", () => {
    const [blocks, rows] = model(2, 3, 10);
    expect(names(blocks, foldedAtFirst(blocks, rows, []))).toEqual([
      "stage_0/block_0",
      "stage_0/block_1",
      "stage_0/block_2",
      "stage_1/block_0",
      "stage_1/block_1",
      "stage_1/block_2",
    ]);
  });

  it("a larger one has those around them folded as well", () => {
    const [blocks, rows] = model(4, 20, 10);
    expect(foldedAtFirst(blocks, rows, [])).toEqual(new Set(blocks.keys()));
  });

  it("the parts of a layer are folded into it", () => {
    const blocks = blocksOf(["lstm", "lstm/input", "lstm/forget", "dense"]);
    expect(foldedAtFirst(blocks, 4, [])).toEqual(new Set([0]));
  });

  it("blocks around a finding are open", () => {
    const [blocks, rows] = model(2, 3, 10);
    const folded = foldedAtFirst(blocks, rows, [34]);
    expect(names(blocks, folded)).not.toContain("stage_1/block_0");
    expect(folded.size).toBe(5);
  });

  it("blocks are opened for findings, the severest first, only while they can be taken in", () => {
    const [blocks, rows] = model(10, 10, 10);
    const folded = foldedAtFirst(blocks, rows, [
      999,
      ...Array.from({ length: 999 }, (_, row) => row),
    ]);
    expect(names(blocks, folded)).not.toContain("stage_9/block_9");
    expect(folded.size).toBeGreaterThan(80);
  });

  it("a finding of a row that is not there opens nothing", () => {
    const [blocks, rows] = model(2, 3, 10);
    expect(foldedAtFirst(blocks, rows, [-1]).size).toBe(6);
  });
});

describe("in an address", () => {
  it.each([
    ["", []],
    ["3", [3]],
    ["0-3.7", [0, 1, 2, 3, 7]],
    ["1.3.5-6", [6, 5, 3, 1]],
  ])("%s is what is folded", (text, folded) => {
    expect(foldedText(new Set(folded))).toBe(text);
    expect(foldedFrom(text, 9)).toEqual(new Set(folded));
  });

  it("what is not of the model is left out", () => {
    expect(foldedFrom("1-999999999999.x.-2.5-", 4)).toEqual(new Set([1, 2, 3]));
  });
});
