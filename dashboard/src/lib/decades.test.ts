import { describe, expect, it } from "vitest";
import { decades, isDecade, logTicks } from "./decades";
import { formatNumber } from "./number";

describe("a logarithmic axis", () => {
  it("spans the powers of ten around what is drawn, a decade at least", () => {
    expect([decades(2e-5, 0.03), decades(0.01, 0.01), decades(3, 4)]).toEqual([
      [1e-5, 0.1],
      [0.01, 0.1],
      [1, 10],
    ]);
  });

  it("of nothing above 0 is an axis still", () => {
    expect([decades(null, null), decades(0, 0)]).toEqual([[1e-3, 1], [1e-3, 1]]);
  });

  it("has a tick at one to nine times each power, and at its end", () => {
    expect(logTicks(0.1, 10)).toEqual([
      ...[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ]);
  });

  it("labels its lowest line with its value, however small that is", () => {
    for (let exponent = -45; exponent < 0; exponent++) {
      const [low, high] = decades(Number(`2e${exponent}`), 1);
      const lines = logTicks(low, high).filter(isDecade);
      expect(lines).toHaveLength(1 - exponent);
      expect(lines[0]).toBe(Number(`1e${exponent}`));
      if (exponent < -4) expect(formatNumber(lines[0]!)).toBe(`1e−${-exponent}`);
    }
  });
});
