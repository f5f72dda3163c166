import { expect, it } from "vitest";
import { aFrame, aRow, aSchema } from "../../tests/builders";
import { Desk } from "./desk";
import { Peaks } from "./peaks";

function deskWith(...magnitudes: number[]): Desk {
  const rows = magnitudes.map((_, index) => aRow({ id: `r${index}` }));
  const desk = Desk.ofSchema(aSchema(rows, ["pre_db", "pre_max"]));
  desk.take(aFrame(1, { pre_db: magnitudes.map(() => 0), pre_max: magnitudes }).blocks);
  return desk;
}

const never = (): boolean => false;

it("holds a peak for ten samples, and lets it fall by 3 dB a sample then", () => {
  const peaks = new Peaks(1);
  peaks.take(deskWith(10), never);
  const seen = Array.from({ length: 13 }, () => {
    peaks.take(deskWith(0.1), never);
    return peaks.peak(0);
  });
  expect(seen.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 20));
  expect(seen.slice(10)).toEqual([17, 14, 11]);
});

it("falls no lower than what is there, and rises at once", () => {
  const peaks = new Peaks(1);
  peaks.take(deskWith(10), never);
  for (let sample = 0; sample < 40; sample++) peaks.take(deskWith(1), never);
  expect(peaks.peak(0)).toBe(0);
  peaks.take(deskWith(100), never);
  expect(peaks.peak(0)).toBe(40);
});

it("keeps a clip light lit for ten samples", () => {
  const peaks = new Peaks(1);
  peaks.take(deskWith(1), () => true);
  const lit = Array.from({ length: 11 }, () => {
    const now = peaks.isClipped(0);
    peaks.take(deskWith(1), never);
    return now;
  });
  expect(lit.filter(Boolean).length).toBe(10);
});

it("takes NaN for no peak", () => {
  const peaks = new Peaks(1);
  peaks.take(deskWith(NaN), never);
  expect(peaks.peak(0)).toBeNull();
});
