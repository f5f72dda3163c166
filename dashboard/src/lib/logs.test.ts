import { expect, it } from "vitest";
import { logged, logOf, lossFirst, logTitle, onsetsOf, onsetsText } from "./logs";

it("a log of any name is read only where it was logged", () => {
  expect(["loss", "constructor"].map((name) => logOf({ loss: NaN }, name))).toEqual([NaN, null]);
});

it("logs of several samples are kept together, up to as many as the server keeps", () => {
  const many = (count: number, name: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, index]));
  expect(logged({ loss: 2, lr: 1 }, { loss: 1 })).toEqual({ loss: 1, lr: 1 });
  expect(Object.keys(logged(many(200, "a"), many(56, "b")))).toHaveLength(256);
  expect(logged(many(200, "a"), many(57, "b"))).toEqual(many(57, "b"));
});

it("the loss comes first and the others stay in their order", () => {
  expect(lossFirst(["mae", "loss", "acc", "mae"])).toEqual(["loss", "mae", "acc"]);
});

it("a log is written as words", () => {
  expect(logTitle("learning_rate")).toBe("learning rate");
});

it("steps at which findings began are named once, the first ones first", () => {
  expect(onsetsOf([{ since_step: 40 }, { since_step: 10 }, { since_step: 40 }])).toEqual([10, 40]);
});

it("the marks are told in words, and counted where they are many", () => {
  expect([[], [1], [1, 40], [1, 40, 50, 1_060, 2_000]].map(onsetsText)).toEqual([
    "",
    "▲ Findings began at step 1.",
    "▲ Findings began at steps 1, 40.",
    "▲ Findings began at steps 1, 40, 50 and 2 more.",
  ]);
});
