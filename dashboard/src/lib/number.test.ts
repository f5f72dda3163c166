import { afterEach, describe, expect, it } from "vitest";
import {
  formatAge,
  formatCount,
  formatDb,
  formatNumber,
  formatShare,
  formatTime,
  machineTime,
  numberOf,
  speak,
} from "./number";

/** Narrow spaces are as hard to tell apart in a test as they are on the page. */
function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

it("reads what JSON has no number for", () => {
  expect(["NaN", "Infinity", "-Infinity", 0, -2.5].map((value) => numberOf(value as "NaN"))).toEqual([
    NaN,
    Infinity,
    -Infinity,
    0,
    -2.5,
  ]);
  expect([numberOf(null), numberOf(undefined)]).toEqual([null, null]);
});

describe("decibels", () => {
  it.each([
    [31.07, "+31.1 dB"],
    [-13.94, "−13.9 dB"],
    [0, "0.0 dB"],
    [-0.04, "0.0 dB"],
    [-Infinity, "−∞ dB"],
    [Infinity, "+∞ dB"],
    [NaN, "NaN dB"],
    [null, "–"],
  ])("%d is %s", (value, text) => expect(plain(formatDb(value))).toBe(text));

  it("stand without their unit where a column has it", () => {
    expect(formatDb(2.5, false)).toBe("+2.5");
  });
});

describe("shares", () => {
  it.each([
    [0, "0 %"],
    [1, "100 %"],
    [0.5, "50 %"],
    [0.051, "5.1 %"],
    [0.0004, "< 0.1 %"],
    [0.9996, "> 99.9 %"],
    [0.995, "99.5 %"],
    [NaN, "NaN"],
    [null, "–"],
  ])("%d is %s", (value, text) => expect(plain(formatShare(value))).toBe(text));
});

describe("plain numbers", () => {
  it.each([
    [0, "0"],
    [2.5912, "2.591"],
    [-12.345, "−12.35"],
    [123.456, "123.5"],
    [0.0123, "0.012"],
    [0.0015, "0.0015"],
    [0.0003, "0.0003"],
    [Math.fround(0.0001), "0.0001"],
    [0.0000123, "1.23e−5"],
    [0.00001, "1e−5"],
    [-1_234_567, "−1.23e6"],
    [-Infinity, "−∞"],
    [null, "–"],
  ])("%d is %s", (value, text) => expect(formatNumber(value)).toBe(text));
});

it.each([
  [999, "999"],
  [131_136, "131,136"],
  [1_234_567.4, "1,234,567"],
  [-4_000, "−4,000"],
  [null, "–"],
])("the count %d is %s", (value, text) => expect(plain(formatCount(value))).toBe(text));

it.each([
  [0, "now"],
  [4.9, "now"],
  [-3, "now"], // the server's clock runs ahead
  [59, "59 s ago"],
  [60, "1 min ago"],
  [7_199, "1 h ago"],
  [200_000, "2 d ago"],
])("%d seconds are %s", (seconds, text) => expect(plain(formatAge(1_000, 1_000 + seconds))).toBe(text));

describe("in the reader's language", () => {
  afterEach(() => speak("en"));

  it("numbers have its separators", () => {
    speak(["de-DE", "en"]);
    const texts = [formatDb(-13.94), formatShare(0.051), formatNumber(0.0000123), formatCount(131_136)];
    expect(texts.map(plain)).toEqual(["−13,9 dB", "5,1 %", "1,23e−5", "131.136"]);
  });

  it("times are written as it writes them", () => {
    const noon = Date.UTC(2026, 10, 26, 12) / 1_000;
    speak("de-DE");
    expect(formatTime(noon)).toMatch(/^26\.11\.2026, \d\d:00$/);
    expect(machineTime(noon)).toBe("2026-11-26T12:00:00.000Z");
    expect([1e300, NaN].map(formatTime)).toEqual(["–", "–"]);
    expect([1e300, NaN].map(machineTime)).toEqual(["", ""]);
  });
});
