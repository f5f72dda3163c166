import { describe, expect, it } from "vitest";
import { formatStatistic, isShare, lineColours, linesOf, MOST_SERIES, PRESETS, telling } from "./statistic";

function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

it.each([
  ["pre_db", "dB", "+40.0 dB"],
  ["coherence_db", "", "+40.0 dB"],
  ["kernel_rms", "", "40"],
])("writes %s in its own way", (id, unit, text) => {
  expect(plain(formatStatistic(id, unit, 40))).toBe(text);
});

it("writes shares in percent, but not every ratio is a share", () => {
  expect(plain(formatStatistic("saturation_rate", "ratio", 0.5))).toBe("50 %");
  expect(["dead_units", "nonfinite_rate", "update_ratio", "gain"].map(isShare)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

describe("what is shown before anything was chosen", () => {
  it("is what the open finding is about", () => {
    expect(telling("dead", ["pre_db", "dead_units"])).toBe("dead_units");
  });

  it("is else the level", () => {
    expect(telling("activity", ["kernel_rms", "output_db", "pre_db"])).toBe("pre_db");
    expect(telling(undefined, ["kernel_rms", "output_db"])).toBe("output_db");
  });

  it("is else whatever there is", () => {
    expect(telling("dead", ["kernel_rms"])).toBe("kernel_rms");
    expect(telling(undefined, [])).toBe("");
  });
});

describe("colours of lines", () => {
  it("are the terms' own, wherever they stand", () => {
    expect(lineColours(["coherence_db", "common_mode_db", "input_db"])).toEqual([
      "line-2",
      "line-3",
      "line-1",
    ]);
  });

  it("are different for as many lines as may be chosen", () => {
    const ids = Array.from({ length: MOST_SERIES }, (_, index) => `s${index}`);
    expect(new Set(lineColours(ids)).size).toBe(MOST_SERIES);
    for (const { statistics } of PRESETS) {
      expect(new Set(lineColours(statistics)).size).toBe(statistics.length);
    }
  });
});

it.each([
  [null, null],
  ["", []],
  ["pre_db,,gain_db,pre_db", ["pre_db", "gain_db"]],
  ["a,b,c,d,e,f,g,h", ["a", "b", "c", "d", "e", "f", "g"]],
])("of lines named as %j in the address draws %j", (text, lines) => {
  expect(linesOf(text)).toEqual(lines);
});
