import { describe, expect, it } from "vitest";
import { aChannel, aTrial } from "../../tests/builders";
import type { Contestant } from "./contract";
import {
  axisOf,
  channelOf,
  columnsOf,
  commandOf,
  courseOf,
  isDiverged,
  nameOf,
  nearest,
  outdone,
  pathOf,
  ranked,
  spreadAt,
} from "./trials";

function arm(
  name: string,
  rank: number | null,
  loss: (number | "NaN")[][],
  strength: number | null = null,
): Contestant {
  return { arm: name, strength, rank, standing: null, outcomes: { loss, accuracy: [[0.1], [0.3]] } };
}

describe("contestants", () => {
  const trial = aTrial({
    contestants: [
      arm("nothing", 1, [[3]]),
      arm("kernel", null, [[2]], 0.1),
      arm("kernel", 0, [[1]], 0.00961),
    ],
  });

  it("stand in the order of their ranks, strengths that did worse apart", () => {
    expect(ranked(trial).map(nameOf)).toEqual(["kernel L2(0.0096)", "nothing"]);
    expect(outdone(trial).map(nameOf)).toEqual(["kernel L2(0.1)"]);
  });

  it("have their strengths written as in the summary", () => {
    expect([0.0000017, 0.07, 100].map((strength) => nameOf(arm("kernel", 0, [[1]], strength)))).toEqual([
      "kernel L2(1.7e-06)",
      "kernel L2(0.07)",
      "kernel L2(1e+02)",
    ]);
  });

  it("have their columns with the metric first, without what strengths were chosen by", () => {
    const outcomes = { choice: [[1]], loss: [[1]], accuracy: [[1]], pre_db: [[1]] };
    const one = aTrial({ contestants: [{ arm: "nothing", strength: null, rank: 0, standing: null, outcomes }] });
    expect(columnsOf(one)).toEqual(["accuracy", "loss", "pre_db"]);
  });
});

describe("a course", () => {
  it("has the mean of its seeds and what they span", () => {
    const course = courseOf(arm("a", 0, [[4, 1], [2, 2]]), "loss");
    expect([...course.mean]).toEqual([3, 1.5]);
    expect(spreadAt(course, 1)).toEqual({ mean: 1.5, least: 1, most: 2 });
  });

  it("with a seed that diverged has no spread, and says so of the loss only", () => {
    const trial = aTrial();
    const lost = spreadAt(courseOf(arm("a", 0, [[4, "NaN"], [2, 2]]), "loss"), 1);
    expect(lost.mean).toBeNaN();
    expect(isDiverged(trial, "loss", lost)).toBe(true);
    expect(isDiverged(trial, "pre_db", lost)).toBe(false);
  });

  it("is drawn from the top left, with a pause where there is no value", () => {
    const trial = aTrial();
    const course = courseOf(arm("a", 0, [[4, "NaN", 0, 2]]), "loss");
    const axis = axisOf(trial, "loss", [course]);
    expect(pathOf([0, 10, 20, 40], course.mean, axis)).toBe("M0.00 0.00M50.00 100.00L100.00 50.00");
  });
});

describe("the axis", () => {
  const trial = aTrial();
  const axis = (column: string, ...values: number[]) => {
    const course = { seeds: [Float32Array.from(values)], mean: Float32Array.from(values) };
    const { low, high } = axisOf(trial, column, [course]);
    return [low, high];
  };

  it("of a share and of the metric goes up to 1", () => {
    expect([axis("saturation_rate", 0.2), axis("accuracy", 0.2)]).toEqual([[0, 1], [0, 1]]);
  });

  it("of a level ends at whole tens", () => {
    expect([axis("pre_db", -3, 42), axis("pre_db", 40)]).toEqual([[-10, 50], [40, 50]]);
  });

  it("of the loss is not given away to what diverges", () => {
    expect(axis("loss", 2, 1, 1e6)).toEqual([0, 4]);
  });

  it("of nothing is an axis still", () => {
    expect(axis("pre_db", NaN)).toEqual([0, 1]);
  });
});

it("reads the measured step that is nearest", () => {
  expect([0, 0.2, 0.3, 1].map((share) => nearest([0, 50, 100], share))).toEqual([0, 0, 1, 2]);
});

it("finds its layer by path or by a name that only one has", () => {
  const channels = ["a/hidden", "a/out", "b/out"].map((path, id) =>
    aChannel({ id: String(id + 1), path }),
  );
  const wanted = ["a/hidden", "hidden", "out", "a/out"];
  expect(wanted.map((layer) => channelOf(layer, channels)?.id)).toEqual(["1", "1", undefined, "2"]);
});

it("writes a command that a shell reads as it was meant", () => {
  expect(commandOf("run-1", "a/it's; ls", "http://h:1")).toBe(
    "gainstage trial model.keras data.npz --run run-1 --layer 'a/it'\\''s; ls' --url http://h:1",
  );
  expect(commandOf("run-1", null, null)).toBe("gainstage trial model.keras data.npz --run run-1");
});
