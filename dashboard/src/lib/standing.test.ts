import { describe, expect, it } from "vitest";
import { aTrial } from "../../tests/builders";
import type { Contestant } from "./contract";
import { standingsOf } from "./standing";

function arm(rank: number, outcomes: Contestant["outcomes"]): Contestant {
  return { arm: `${rank}`, strength: null, rank, outcomes };
}

describe("what the seeds tell of the first", () => {
  /** Contestants by their final accuracies, one for each seed. */
  function told(...finals: (number | "NaN")[][]): string[] {
    const contestants = finals.map((seeds, rank) =>
      arm(rank, { loss: seeds.map(() => [1]), accuracy: seeds.map((value) => [0, value]) }),
    );
    const trial = aTrial({ seeds: finals[0]!.map((_, seed) => seed), contestants });
    const standings = standingsOf(trial);
    return contestants.map((one) => standings.get(one)?.words ?? "");
  }

  it("is that it is the best where it leads in every one of them", () => {
    expect(told([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])).toEqual(["best", ""]);
  });

  it("is no more than that it stands first where another is ahead or level in one", () => {
    const alike = "not told apart from the first";
    expect(told([0.9, 0.8, 0.7], [0.7, 0.7, 0.71], [0.1, 0.1, 0.7], [0.2, 0.2, 0.2])).toEqual([
      "first, but not told apart",
      alike,
      alike,
      "",
    ]);
  });

  it("is nothing where they are few", () => {
    expect(told([0.9, 0.8], [0.1, 0.2])).toEqual(["first; fewer than 3 seeds do not tell", ""]);
  });

  it("is the other way round of a loss", () => {
    const [less, more] = [arm(0, { loss: [[1], [2], [3]] }), arm(1, { loss: [[2], [3], [4]] })];
    const trial = aTrial({ metric: "loss", seeds: [0, 1, 2], contestants: [less, more] });
    expect(standingsOf(trial).get(less)?.words).toBe("best");
  });

  it("leaves out what diverged, be it all", () => {
    expect(told([0.9, 0.8, 0.7], [0.8, "NaN", 0.9])).toEqual(["best", ""]);
    expect(told(["NaN", 0.8, 0.7])).toEqual([""]);
  });
});
