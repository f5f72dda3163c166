import { describe, expect, it } from "vitest";
import { aFinding, aFrame, aRow, aSchema } from "../../tests/builders";
import type { Finding, LayersAnswer } from "./contract";
import { healthOf, openFindings } from "./health";
import { levelOf } from "./meter";
import { RunState } from "./run-state";

const ROWS = ["r0", "r1", "r2", "r3"].map((id) => aRow({ id, path: `model/${id}` }));

/** A run of four layers, the last of which is not judged. */
function running(findings: Partial<Finding>[] = [], values = [1, 1, 1, 1]): RunState {
  const state = new RunState();
  state.receive({ message: aSchema(ROWS, ["pre_db"]), blocks: new Map() });
  const judged = ROWS.map((row) => ({
    ...row,
    values: {},
    verdict: row.id === "r3" ? "" : "healthy",
  }));
  state.setLayers({ rows: judged } as unknown as LayersAnswer);
  state.setFindings(findings.map((given, index) => aFinding({ id: `f${index}`, ...given })));
  state.receive(aFrame(10, { pre_db: values }));
  return state;
}

function health(state: RunState, from: number, to: number): [string, string, number] {
  const { verdict, tone, findings } = healthOf(state, openFindings(state), from, to);
  return [verdict, tone, findings];
}

describe("a layer", () => {
  it("is as its own verdict says", () => {
    const state = running([{ row: "r1", verdict: "activity", severity: "warning" }]);
    expect(health(state, 0, 1)).toEqual(["healthy", "ok", 0]);
    expect(health(state, 1, 2)).toEqual(["activity", "warning", 1]);
    expect(health(state, 3, 4)).toEqual(["", "quiet", 0]);
  });
});

describe("several layers shown as one", () => {
  it("are as the worst of them", () => {
    const state = running([
      { row: "r0", verdict: "activity", severity: "warning", since_step: 1 },
      { row: "r2", verdict: "nonfinite", severity: "critical", since_step: 9 },
    ]);
    expect(health(state, 0, 4)).toEqual(["nonfinite", "critical", 2]);
    expect(health(state, 0, 2)).toEqual(["activity", "warning", 1]);
  });

  it("are healthy where those that are judged are", () => {
    expect(health(running(), 2, 4)).toEqual(["healthy", "ok", 0]);
  });

  it("are not healthy where one of them shows NaN, whoever is to blame", () => {
    expect(health(running([], [1, 1, 1, NaN]), 0, 4)).toEqual(["", "quiet", 0]);
  });

  it("are better again once a finding is closed", () => {
    const state = running([{ row: "r0", closed_step: 300 }]);
    expect(health(state, 0, 2)).toEqual(["healthy", "ok", 0]);
  });

  it("look the same while their findings are muted, which no longer count", () => {
    const state = running([{ row: "r0", verdict: "dead", mark: { state: "muted", time: 0 } }]);
    expect(health(state, 0, 2).slice(0, 1)).toEqual(["dead"]);
    expect(health(state, 0, 2).at(-1)).toBe(0);
  });

  it("count a layer once, whatever number of findings it has", () => {
    const state = running([
      { row: "r0", verdict: "dead" },
      { row: "r0", verdict: "nonfinite", severity: "critical" },
    ]);
    expect(health(state, 0, 2)).toEqual(["nonfinite", "critical", 1]);
  });
});

it("the level is that of the pre-activation, or else of the output", () => {
  const state = new RunState();
  const schema = aSchema(ROWS.slice(0, 2), ["pre_db", "output_db"]);
  schema.blocks["layers"]!.mask[0] = 0b1011; // the second row has no pre-activation
  state.receive({ message: schema, blocks: new Map() });
  state.receive(aFrame(10, { pre_db: [1, 3], output_db: [2, 4] }));
  expect([0, 1, 9].map((channel) => levelOf(state.desk, channel).level)).toEqual([1, 4, null]);
});
