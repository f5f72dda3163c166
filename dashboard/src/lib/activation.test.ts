import { expect, it } from "vitest";
import { edgesInWords, responseOf } from "./activation";
import type { Activations } from "./contract";

function known(name: string, low: number | null, high: number | null, values: number[] | null = [-1, 0, 1]) {
  return { name, low, high, values, headroom: null, elementwise: values !== null };
}

const TABLE: Activations = {
  z: [-1, 0, 1],
  activations: [
    known("linear", null, null),
    known("hard_tanh", -1, 1),
    known("elu", -4, null),
    known("relu6", null, 6),
    known("softmax", null, null, null),
  ],
};

it("has the edges and the curve of a layer's activation", () => {
  expect(responseOf(TABLE, "hard_tanh")).toEqual({
    name: "hard_tanh",
    edges: { low: -1, high: 1 },
    curve: { z: [-1, 0, 1], f: [-1, 0, 1] },
  });
});

it("takes no activation for the linear one", () => {
  expect(responseOf(TABLE, null)?.name).toBe("linear");
});

it("knows nothing of a function that is not in the table, nor before the table is there", () => {
  expect([responseOf(TABLE, "?"), responseOf(null, "linear")]).toEqual([null, null]);
});

it.each([
  ["hard_tanh", "Below -1 and above 1 hard_tanh saturates."],
  ["elu", "Below -4 elu saturates."],
  ["relu6", "Above 6 relu6 saturates."],
  ["linear", "No value saturates linear."],
  ["softmax", "No single value saturates softmax: it mixes units."],
])("says of %s which values saturate it", (name, words) => {
  expect(edgesInWords(responseOf(TABLE, name)!, String)).toBe(words);
});
