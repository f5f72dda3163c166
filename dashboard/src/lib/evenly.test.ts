import { expect, it } from "vitest";
import { evenly } from "./evenly";

it("chooses places evenly, the last among them", () => {
  expect([evenly(3, 10), evenly(101, 5), evenly(7, 1), evenly(0, 5)]).toEqual([
    [0, 1, 2],
    [0, 25, 50, 75, 100],
    [6],
    [],
  ]);
});
