import { describe, expect, it } from "vitest";
import { courseOf } from "../../tests/histories";
import { cumulative, growthOf, sentenceOf, termsOf } from "./growth";

const GROWN = courseOf({
  input_db: [-11, -11, -11],
  gain_db: [13, 13, 13.3],
  coherence_db: [18, 30, 36.2],
});

function plain(text: string): string {
  return text.replaceAll("\u202f", " ");
}

describe("the ribbons", () => {
  it("run from one sum to the next, below 0 dB where a term takes level away", () => {
    const lines = cumulative(GROWN, termsOf(GROWN));
    expect(lines.map((line) => line[1])).toEqual([0, -11, 2, 32]);
  });

  it("are interrupted from the term on that is not finite", () => {
    const course = courseOf({ input_db: [0], gain_db: [-Infinity], coherence_db: [3] });
    expect(cumulative(course, termsOf(course))).toEqual([[0], [0], [null], [null]]);
  });

  it("of a gate are what its two ways in bring together, and its coherence", () => {
    const course = courseOf({
      input_db: [0],
      gain_db: [10],
      state_rms: [1],
      recurrent_gain_db: [10],
      coherence_db: [2],
    });
    expect(termsOf(course).map(({ part }) => part)).toEqual(["input", "coherence"]);
    expect(cumulative(course, termsOf(course)).at(-1)![0]).toBeCloseTo(15.0103, 3);
  });

  it("are none for a layer without kernel", () => {
    expect(termsOf(courseOf({ output_db: [1, 2] }))).toEqual([]);
  });
});

describe("the sentence", () => {
  it("names the term that grew most first", () => {
    expect(plain(sentenceOf(growthOf(GROWN, termsOf(GROWN))!))).toBe(
      "Coherence grew by +18.2 dB; kernel gain by +0.3 dB, input by 0.0 dB.",
    );
  });

  it("says that a term fell", () => {
    const changes = [{ title: "Input", change: -4 }];
    expect(plain(sentenceOf({ from: 0, to: 1, changes }))).toBe("Input fell by 4.0 dB.");
  });

  it("makes nothing of what lies within the error of a sample", () => {
    const changes = [{ title: "Input", change: 0.4 }];
    expect(plain(sentenceOf({ from: 0, to: 1, changes }))).toBe("No term changed by more than 0.5 dB.");
  });

  it("is of the steps at which all terms are there", () => {
    const course = courseOf({
      input_db: [NaN, 1, 2, 9],
      gain_db: [0, 0, 0, 0],
      coherence_db: [0, 0, 0, null],
    });
    const { from, to } = growthOf(course, termsOf(course))!;
    expect([from, to]).toEqual([20, 30]);
  });

  it("is none where there is one sample", () => {
    const course = courseOf({ input_db: [1], gain_db: [1], coherence_db: [1] });
    expect(growthOf(course, termsOf(course))).toBeNull();
  });
});
