import { describe, expect, it } from "vitest";
import { courseOf } from "../../tests/histories";
import { fanLines, readingOf, reachOf, saturatedParts } from "./fan";
import { Course } from "./course";
import { Rollup } from "./rollup";

const SIGMOID = { low: -6, high: 6 };

describe("the lines of the fan", () => {
  it("are gaps where a quantile is not finite", () => {
    expect(fanLines(courseOf({ pre_q50: [1, NaN, 3] }))[3]).toEqual([1, null, 3]);
  });

  it("reach as far as any of the samples that share a point", () => {
    const ids = ["pre_q01", "pre_q99"];
    const rollup = Rollup.from(
      {
        steps: [10],
        min: Float32Array.of(-9, 1),
        max: Float32Array.of(-1, 9),
        last: Float32Array.of(-2, 2),
        downsampled: true,
        exists: () => true,
      },
      2,
    );
    const lines = fanLines(new Course(rollup, ids));
    expect([lines[0], lines[6]]).toEqual([[-9], [9]]);
  });
});

describe("what is shown of z", () => {
  it("holds the edges of the activation", () => {
    const { low, high, beyond } = reachOf([[-2], [3]], SIGMOID);
    expect([low < -6, high > 6, beyond]).toEqual([true, true, false]);
  });

  it("leaves out an edge that would flatten the fan", () => {
    const { high, beyond } = reachOf([[-0.1], [0.1]], SIGMOID);
    expect([high < 1, beyond]).toEqual([true, true]);
  });

  it("is the range between the edges where there is no value", () => {
    const { low, high } = reachOf([[null]], SIGMOID);
    expect([low, high]).toEqual([-6.72, 6.72]);
  });
});

describe("what is saturated of it", () => {
  it("lies beyond the edges", () => {
    expect(saturatedParts({ low: -10, high: 20, beyond: false }, SIGMOID)).toEqual([
      [-10, -6],
      [6, 20],
    ]);
  });

  it("is nothing where the activation never saturates", () => {
    expect(saturatedParts({ low: -10, high: 20, beyond: false }, { low: null, high: null })).toEqual([]);
  });

  it("is everything where all that is shown lies beyond an edge", () => {
    expect(saturatedParts({ low: 30, high: 50, beyond: false }, SIGMOID)).toEqual([[30, 50]]);
  });
});

describe("in words", () => {
  it("the fan is where half of the values lie", () => {
    const course = courseOf({ pre_q25: [-1], pre_q50: [0], pre_q75: [2] });
    expect(readingOf(course, 0, String)).toBe("Half of the values lie between -1 and 2, the median at 0.");
  });

  it("nothing is said of values that are not there", () => {
    expect(readingOf(courseOf({ pre_q50: [0] }), 0, String)).toBeNull();
  });
});
