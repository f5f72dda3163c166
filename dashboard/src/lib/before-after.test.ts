import { describe, expect, it } from "vitest";
import { aFinding, aLayerRow, aRunSummary } from "../../tests/builders";
import type { Api } from "./api";
import {
  candidates,
  changes,
  comparisonOf,
  counterpart,
  findAfter,
  isChanged,
  linesOf,
  type Pair,
} from "./before-after";
import type { LayerRow, RunSummary } from "./contract";

function aPair(before: Partial<LayerRow> = {}, after: Partial<LayerRow> = {}): Pair {
  return {
    before: { run: aRunSummary({ id: "a" }), row: aLayerRow({ verdict: "activity", ...before }) },
    after: { run: aRunSummary({ id: "b" }), row: aLayerRow(after) },
    byName: false,
  };
}

describe("candidates", () => {
  const run = aRunSummary({ id: "run", started: 100, layers: 10 });
  const later = (id: string, started: number, given: Partial<RunSummary> = {}) =>
    aRunSummary({ id, started, layers: 10, ...given });

  it("are the three newest that began later", () => {
    const others = [
      later("early", 50),
      later("1", 110),
      later("2", 120),
      later("3", 130),
      later("4", 140),
    ];
    expect(candidates(run, [run, ...others]).map(({ id }) => id)).toEqual(["4", "3", "2"]);
  });

  it("are not of a model with far more or far fewer layers", () => {
    const others = [0, 4, 5, 15, 16].map((layers) => later(`${layers}`, 110 + layers, { layers }));
    expect(candidates(run, others).map(({ id }) => id)).toEqual(["15", "5"]);
  });
});

describe("a layer in a later run", () => {
  const row = aLayerRow({ id: "r0", path: "model/hidden" });

  it("is the one with its id, whatever it is called", () => {
    const named = aLayerRow({ id: "r9", path: "model_1/hidden" });
    const same = aLayerRow({ id: "r0", path: "model_1/other" });
    expect(counterpart(row, [named, same])).toBe(same);
  });

  it("is else the only one of its name and kind", () => {
    const named = aLayerRow({ id: "r9", path: "model_1/hidden" });
    const kind = aLayerRow({ id: "r8", path: "model_1/hidden", kind: "LSTM" });
    expect(counterpart(row, [kind, named])).toBe(named);
    expect(counterpart(row, [named, aLayerRow({ id: "r7", path: "b/hidden" })])).toBeNull();
  });

  it("is changed where it is called with something else, or the finding is gone", () => {
    const finding = aFinding();
    const l2 = { class: "L2", arguments: { l2: 0.1 } };
    const penalty = { arguments: { activity_regularizer: l2 } };
    expect(isChanged(aPair({}, { verdict: "activity", ...penalty }), finding)).toBe(true);
    expect(isChanged(aPair({}, { verdict: "healthy" }), finding)).toBe(true);
    expect(isChanged(aPair({}, { verdict: "activity" }), finding)).toBe(false);
    expect(isChanged(aPair({}, { verdict: "" }), finding)).toBe(false);
    expect(changes(aPair({}, penalty))).toEqual([
      { name: "activity_regularizer", values: [null, "L2(l2=0.1)"] },
    ]);
  });
});

describe("the search", () => {
  function server(runs: RunSummary[], rows: Record<string, LayerRow[]>) {
    const asked: string[] = [];
    const api = {
      runs: async (project?: string) => runs.filter((run) => run.project === project),
      layers: async (run: string) => {
        asked.push(run);
        return { rows: rows[run] ?? [] };
      },
    };
    return { api: api as unknown as Api, asked };
  }
  const run = aRunSummary({ id: "a", started: 1 });

  it("takes the newest run in which the layer is another", async () => {
    const later = [2, 3].map((started) => aRunSummary({ id: `b${started}`, started }));
    const other = aRunSummary({ id: "other", started: 4, project: "another" });
    const { api } = server([run, ...later, other], {
      other: [aLayerRow({ verdict: "healthy" })],
      a: [aLayerRow({ verdict: "activity" })],
      b2: [aLayerRow({ verdict: "healthy" })],
      b3: [aLayerRow({ verdict: "activity" })],
    });
    expect((await findAfter(api, run, aFinding()))?.after.run.id).toBe("b2");
  });

  it("asks for no layers where no run is later", async () => {
    const { api, asked } = server([run], {});
    expect(await findAfter(api, run, aFinding())).toBeNull();
    expect(asked).toEqual([]);
  });
});

describe("what is shown", () => {
  it("is the level, the term to blame, saturation and what the training came to", () => {
    const pair = aPair(
      { values: { pre_db: 40, coherence_db: 31, saturation_rate: 1, gain_db: 3 } },
      { values: { pre_db: -0.7, coherence_db: 6, saturation_rate: 0, gain_db: 3 } },
    );
    pair.before.run.logs = { accuracy: 0.1, loss: 2.6, learning_rate: 0.05, val_loss: 3 };
    pair.after.run.logs = { accuracy: 0.99, loss: "NaN" };
    const lines = linesOf(pair, aFinding({ verdict: "activity" }));
    expect(lines.map(({ title, before, after }) => [title, before, after].join(" "))).toEqual([
      "Level +40.0\u202fdB −0.7\u202fdB",
      "Coherence +31.0\u202fdB +6.0\u202fdB",
      "Saturation 100\u202f% 0\u202f%",
      "loss 2.6 NaN",
      "accuracy 0.1 0.99",
    ]);
  });

  it("leads to the comparison, with the layer where both know it by one id", () => {
    expect(comparisonOf(aPair())).toBe("/compare?run=a&run=b&layer=r0");
    expect(comparisonOf({ ...aPair(), byName: true })).toBe("/compare?run=a&run=b");
  });
});
