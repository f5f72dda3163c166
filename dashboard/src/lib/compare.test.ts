import { describe, expect, it } from "vitest";
import { aLayerRow, aRun } from "../../tests/builders";
import {
  byDifference,
  difference,
  logsOf,
  type Match,
  matched,
  named,
  pathsOf,
  runsOf,
  settings,
  type Side,
  statisticsOf,
  without,
} from "./compare";
import type { LayerRow, LayersAnswer } from "./contract";
import type { JsonNumber } from "./number";

function side(...rows: Partial<LayerRow>[]): Side {
  const layers = { rows: rows.map(aLayerRow) } as unknown as LayersAnswer;
  return { run: "run", detail: aRun(), layers, error: null };
}

function match(id: string, ...levels: JsonNumber[]): Match {
  return { id, rows: levels.map((level) => aLayerRow({ id, values: { pre_db: level } })) };
}

describe("an address", () => {
  it("names each run once, and no more than six", () => {
    const runs = runsOf(["a", "b", "a", "", "c", "d", "e", "f", "g"]);
    expect(runs).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("loses a run and keeps what else was chosen", () => {
    expect(without("?run=a&layer=r0&run=b&run=c", "b")).toBe("?run=a&run=c&layer=r0");
  });
});

describe("rows", () => {
  const sides = [
    side({ id: "r0", path: "sequential/hidden" }, { id: "r1", path: "sequential/out" }),
    side({ id: "r0", path: "sequential_1/hidden" }, { id: "r2", path: "sequential_1/out" }),
  ];

  it("are matched by their ids, whatever they are called", () => {
    const { shared } = matched(sides);
    expect(shared.map(pathsOf)).toEqual([["sequential/hidden", "sequential_1/hidden"]]);
  });

  it("that only some runs have stand apart", () => {
    const { apart } = matched(sides);
    expect(apart.map(({ rows }) => rows.map((row) => row?.path))).toEqual([
      ["sequential/out", undefined],
      [undefined, "sequential_1/out"],
    ]);
  });

  it("are shared by the runs that have named theirs", () => {
    const silent: Side = { run: "gone", detail: null, layers: null, error: new Error("No run.") };
    expect(matched([...sides.slice(0, 1), silent, side()]).apart).toEqual([]);
  });

  it("are found by a part of any of their names", () => {
    const { shared } = matched(sides);
    expect(named(shared, "TIAL_1")).toHaveLength(1);
    expect(named(shared, "out")).toHaveLength(0);
  });

  it("have the statistics that some run has a value of", () => {
    const rows = [
      aLayerRow({ values: { pre_db: "NaN", gain_db: null } }),
      null,
      aLayerRow({ values: { saturation_rate: 0.1 } }),
    ];
    expect(statisticsOf({ id: "r0", rows })).toEqual(["pre_db", "saturation_rate"]);
  });
});

describe("differences", () => {
  it("of two runs have a sign, of more they are a range", () => {
    expect(difference(match("a", 3, 1), "pre_db")).toBe(-2);
    expect(difference(match("a", 3, 1, 9), "pre_db")).toBe(8);
  });

  it("need two runs with a value", () => {
    expect(difference(match("a", 3, null), "pre_db")).toBeNull();
  });

  it("are none where all runs are silent alike", () => {
    expect(difference(match("a", "-Infinity", "-Infinity"), "pre_db")).toBe(0);
  });

  it("put the largest first, NaN in one run before all, and what has none last", () => {
    const some = [match("none", 1, null), match("small", 1, 2), match("large", 9, 1)];
    const rows = [...some, match("broken", 1, "NaN")];
    expect(byDifference(rows, "pre_db").map(({ id }) => id)).toEqual([
      "broken",
      "large",
      "small",
      "none",
    ]);
  });
});

describe("settings", () => {
  it("that differ stand apart from those alike, nested ones under their names", () => {
    const { differing, alike } = settings([
      { seed: 1, optimizer: { name: "SGD", rate: 0.05000000074505806 } },
      { seed: 1, optimizer: { name: "Adam", rate: 0.05 }, note: ["x"] },
    ]);
    expect(differing).toEqual([
      { name: "optimizer.name", values: ["SGD", "Adam"] },
      { name: "note", values: [null, '["x"]'] },
    ]);
    expect(alike.map(({ name }) => name)).toEqual(["seed", "optimizer.rate"]);
  });

  it("of a run that is not known are no difference", () => {
    expect(settings([{ seed: 1 }, null]).differing).toEqual([]);
  });
});

it("lists the logs of all runs with the loss first", () => {
  const sides = [{ accuracy: 1, loss: 2 }, { mae: 1, loss: 1 }].map((logs) => ({
    ...side(),
    detail: aRun({ logs }),
  }));
  expect(logsOf(sides)).toEqual(["loss", "accuracy", "mae"]);
});
