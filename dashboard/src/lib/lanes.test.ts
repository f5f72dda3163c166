import { expect, it } from "vitest";
import { lanesAround, lanesOf, lanesText } from "./lanes";

it("reads which layers are shown, and all where that names none", () => {
  expect(lanesOf("200-259", 1_000)).toEqual([200, 260]);
  expect(lanesOf("990-2000", 1_000)).toEqual([990, 1_000]);
  for (const none of [null, "", "7", "9-3", "1000-1001", "a-b"]) {
    expect(lanesOf(none, 1_000)).toEqual([0, 1_000]);
  }
});

it("names them so that they are read again, and nothing for all", () => {
  expect(lanesText([200, 260], 1_000)).toBe("200-259");
  expect(lanesText([0, 1_000], 1_000)).toBeNull();
});

it("zooms around a layer, and stays within the model", () => {
  expect(lanesAround([0, 1_000], 500, 0.5, 1_000)).toEqual([250, 750]);
  expect(lanesAround([0, 1_000], 999, 0.5, 1_000)).toEqual([500, 1_000]);
  expect(lanesAround([500, 502], 500, 0.1, 1_000)).toEqual([500, 501]);
  expect(lanesAround([500, 600], 500, 99, 1_000)).toEqual([0, 1_000]);
});
