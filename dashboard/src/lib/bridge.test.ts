import { expect, it } from "vitest";
import { bridge, channelsAt } from "./bridge";
import type { Reading } from "./meter";

const INKS = { lit: 1, over: 2, broken: 3 };

function reading(level: number | null, given: Partial<Reading> = {}): Reading {
  return { level, peak: null, headroom: null, broken: false, clipped: false, ...given };
}

function painted(readings: readonly Reading[], width: number, height: number): number[][] {
  const pixels = bridge(readings.length, (channel) => readings[channel]!, INKS, width, height);
  return Array.from({ length: height }, (_, y) => [...pixels.slice(y * width, (y + 1) * width)]);
}

it("lights a channel up to its level, and what is over its headroom otherwise", () => {
  // The meter reaches from -40 dB to 50 dB: nine pixels, one for each 10 dB.
  const columns = painted([reading(20), reading(20, { headroom: 0 }), reading(null)], 3, 9);
  expect(columns.map((row) => row.join(""))).toEqual([
    "000", "000", "000", "120", "120", "110", "110", "110", "110",
  ]);
});

it("gives a channel that is broken the whole height", () => {
  expect(painted([reading(NaN, { broken: true })], 1, 2)).toEqual([[3], [3]]);
});

it("shows the worst of many channels in a pixel", () => {
  const readings = Array.from({ length: 1_000 }, () => reading(-40));
  readings[777] = reading(50, { headroom: -40 });
  const [top] = painted(readings, 100, 9);
  expect(top!.indexOf(2)).toBe(77);
  readings[111] = reading(null, { broken: true });
  expect(painted(readings, 100, 9)[0]!.indexOf(3)).toBe(11);
});

it("leaves no channel out, whatever the width", () => {
  for (const [width, count] of [[7, 100], [100, 7], [64, 64]] as const) {
    const seen = new Set<number>();
    for (let x = 0; x < width; x++) {
      const [first, end] = channelsAt(x, width, count);
      for (let channel = first; channel < end; channel++) seen.add(channel);
    }
    expect(seen.size).toBe(count);
  }
});
