import { describe, expect, it } from "vitest";
import { waterfall } from "./waterfall";

const CANONICAL = { input: -14, gain: 23, coherence: 31, bias: -Infinity, pre: 40 };

it("begins each term where the one before it ended, and arrives at the level", () => {
  const { bars } = waterfall(CANONICAL, 15.5);
  expect(bars.map(({ part, from, to }) => [part, from, to])).toEqual([
    ["input", 0, -14],
    ["gain", -14, 9],
    ["coherence", 9, 40],
    ["pre", 0, 40],
  ]);
});

it("holds all that it shows, the headroom included, in whole tens", () => {
  const { low, high, headroom } = waterfall(CANONICAL, 55);
  expect([low, high, headroom]).toEqual([-20, 60, 55]);
});

it("shows small levels small", () => {
  const { low, high } = waterfall({ input: 0, gain: 1, coherence: 0, pre: 1 }, null);
  expect([low, high]).toEqual([-10, 20]);
});

it("prefers the headroom that the finding itself names", () => {
  expect(waterfall({ ...CANONICAL, headroom: 9.5 }, 15.5).headroom).toBe(9.5);
});

describe("a bias", () => {
  it("that is loud has its room", () => {
    expect(waterfall({ ...CANONICAL, bias: 62 }, null).high).toBe(70);
  });

  it("that is faint shrinks nothing else", () => {
    const { bars, low } = waterfall({ ...CANONICAL, bias: -300 }, null);
    expect(low).toBe(-20);
    expect(bars.find(({ part }) => part === "bias")?.value).toBe(-300);
  });
});

it("has no bar for a term that is not there or not finite", () => {
  expect(waterfall({ pre: NaN, input: 3 }, null).bars.map(({ part }) => part)).toEqual(["input"]);
  expect(waterfall({}, null).bars).toEqual([]);
});
