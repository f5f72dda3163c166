import { expect, it } from "vitest";
import { historyOf } from "./history";

const lane = (...values: (number | "NaN" | null)[]) => ({ min: values, max: values, mean: values, last: values });

it("lays lanes out in the order of the names", () => {
  const series = { loss: lane(2, 1), accuracy: lane("NaN", null) };
  const history = historyOf({ steps: [10, 20], series, downsampled: false }, ["accuracy", "loss"]);
  expect([...history.last]).toEqual([NaN, 0, 2, 1]);
  expect([0, 1, 2, 3].map(history.exists)).toEqual([true, false, true, true]);
});

it("has nothing of a name that the answer lacks, whatever the name is", () => {
  const history = historyOf({ steps: [10], series: {}, downsampled: false }, ["constructor", "toString"]);
  expect([0, 1].map(history.exists)).toEqual([false, false]);
});
