import { expect, it } from "vitest";
import { written } from "./written";

it("writes Keras's objects as they were called", () => {
  const penalty = { class: "keras.regularizers.L2", arguments: { l2: 0.0010000000474974513 } };
  expect(written(penalty)).toBe("L2(l2=0.001)");
  expect(written({ class: "keras.regularizers.L2", arguments: { l2: 0.0000017 } })).toBe("L2(l2=1.7e-06)");
  expect(written({ class: "zeros" })).toBe("zeros()");
});

it("writes all else as it is", () => {
  expect(["tanh", 64, [1, null], true, null, { a: 1 }].map(written)).toEqual([
    "tanh",
    "64",
    "[1,null]",
    "true",
    "null",
    '{"a":1}',
  ]);
});
