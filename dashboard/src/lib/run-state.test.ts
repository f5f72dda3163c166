import { describe, expect, it } from "vitest";
import { aFinding, aFrame, aRow, aRun, aSchema } from "../../tests/builders";
import type { LayersAnswer } from "./contract";
import type { History } from "./rollup";
import { type Part, RunState } from "./run-state";
import type { Message, Schema, WireFinding } from "./wire";

const ROWS = [aRow({ id: "r0", path: "model/hidden" }), aRow({ id: "r1", path: "model/out" })];
const SCHEMA = aSchema(ROWS, ["pre_db"]);

function receive(state: RunState, message: Message): readonly Part[] | "gone" {
  return state.receive({ message, blocks: new Map() });
}

const LINES = { layer: "r0", statistics: ["pre_db"] };

function following(schema: Schema = SCHEMA): RunState {
  const state = new RunState();
  receive(state, schema);
  return state;
}

function history(steps: number[], lanes: number, value = 0): History {
  const values = new Float32Array(steps.length * lanes).fill(value);
  const fields = { min: values, max: values, last: values };
  return { steps, ...fields, downsampled: false, exists: () => true };
}

function layers(verdict: string): LayersAnswer {
  const rows = ROWS.map((row) => ({ ...row, values: { pre_db: 1 }, verdict, headroom_db: 15.5 }));
  return { rows } as unknown as LayersAnswer;
}

describe("frames", () => {
  it("bring the newest step, logs and values", () => {
    const state = following();
    state.receive(aFrame(30, { pre_db: [1, 2] }, { epoch: 2, logs: { loss: 0.5 }, costs: { share: 0.01 } }));
    expect([state.step, state.epoch, state.logs, state.costs]).toEqual([
      30,
      2,
      { loss: 0.5 },
      { share: 0.01 },
    ]);
    expect(state.desk.value(1, "pre_db")).toBe(2);
  });

  it.each([
    ["another worker", { worker: 1 }],
    ["a validation", { source: "validation" as const }],
    ["another attempt", { attempt: "a0" }],
    ["another schema", { schema: 9 }],
  ])("of %s change nothing", (_, given) => {
    const state = following();
    state.receive(aFrame(30, { pre_db: [1, 2] }, given));
    expect([state.step, state.desk.value(0, "pre_db")]).toEqual([null, null]);
  });

  it("are appended to the history that is shown", () => {
    const state = following();
    state.setHeat("pre_db", { ...history([10, 20], 2), rows: ["r1", "r0"] }, state.wait());
    state.setSeries("lines", LINES, history([10, 20], 1), state.wait());
    state.receive(aFrame(30, { pre_db: [1, 2] }));
    // The answer's lanes are its own: its first one is the second layer.
    expect(state.heat!.value("last", 0, 2)).toBe(2);
    expect(state.heat!.value("last", 1, 2)).toBe(1);
    expect(state.seriesOf("lines", LINES)!.value("last", 0, 2)).toBe(1);
  });

  it("leave a log as it was where they bring none of its name", () => {
    const state = following();
    state.receive(aFrame(30, { pre_db: [1, 2] }, { logs: { loss: 0.5, rate: 1 } }));
    state.receive(aFrame(40, { pre_db: [1, 2] }, { logs: { loss: 0.4 } }));
    expect(state.logs).toEqual({ loss: 0.4, rate: 1 });
  });

  it("bring the training's logs on, where one is absent nothing", () => {
    const state = following();
    const logs = { layer: null, statistics: ["loss", "constructor"] };
    state.setSeries("training", logs, history([10, 20], 2), state.wait());
    state.receive(aFrame(30, { pre_db: [1, 2] }, { logs: { loss: NaN, pre_db: 3 } }));
    const rollup = state.seriesOf("training", logs)!;
    expect([0, 1].map((lane) => rollup.value("last", lane, 2))).toEqual([NaN, null]);
  });

  it("behind what is shown are not appended to it", () => {
    const state = following();
    state.window = { from: 10, to: 25 };
    state.setSeries("lines", LINES, history([10, 20], 1), state.wait());
    state.receive(aFrame(30, { pre_db: [1, 2] }));
    expect(state.seriesOf("lines", LINES)!.lastStep).toBe(20);
  });

  it("that came while a history was on its way are in it once", () => {
    const state = following();
    const meanwhile = state.wait();
    for (const step of [20, 30, 40]) state.receive(aFrame(step, { pre_db: [step, 0] }));
    state.setHeat("pre_db", { ...history([10, 20], 2), rows: ["r0", "r1"] }, meanwhile);
    const { heat } = state;
    expect([...heat!.steps.slice(0, heat!.columns)]).toEqual([10, 20, 30, 40]);
    expect(heat!.value("last", 0, 3)).toBe(40);
  });
});

describe("a hole in the history", () => {
  it("is told by the server where this page was too slow", () => {
    const skipped: Message = { type: "skipped", run: "run-1", frames: 3 };
    expect(receive(following(), skipped)).toEqual(["summary", "histories"]);
  });

  it("is where a frame comes after a later one, which stays the newest", () => {
    const state = following();
    state.receive(aFrame(40, { pre_db: [4, 4] }));
    expect(state.receive(aFrame(30, { pre_db: [3, 3] }))).toEqual(["histories"]);
    expect([state.step, state.desk.value(0, "pre_db")]).toEqual([40, 4]);
  });

  it("is where another attempt goes on from an earlier step", () => {
    const state = following();
    state.receive(aFrame(40, { pre_db: [4, 4] }));
    receive(state, { ...SCHEMA, attempt: "a2" });
    const again = (step: number) => state.receive(aFrame(step, { pre_db: [3, 3] }, { attempt: "a2", seq: step }));
    expect([again(30), again(35)]).toEqual([["histories"], []]);
  });

  it("is none where the newest frame comes again, with other statistics", () => {
    const state = following(aSchema(ROWS, ["pre_db", "gain_db"]));
    state.receive(aFrame(40, { pre_db: [4, 4] }));
    expect(state.receive(aFrame(40, { gain_db: [7, 7] }))).toEqual([]);
    expect([state.desk.value(0, "pre_db"), state.desk.value(0, "gain_db"), state.frames]).toEqual([4, 7, 1]);
  });
});

it("samples are counted on between two answers of the server", () => {
  const state = following();
  state.setDetail(aRun({ frames: 4, step: 40 }));
  for (const step of [40, 50, 60]) state.receive(aFrame(step, { pre_db: [1, 2] }));
  expect(state.frames).toBe(6);
  state.setDetail(aRun({ frames: 6 }));
  expect(state.frames).toBe(6);
});

describe("a schema", () => {
  it("has nothing fetched where it is the first, and of the layers that are being fetched", () => {
    expect(receive(new RunState(), SCHEMA)).toEqual([]);
    const state = new RunState();
    state.setLayers(layers("healthy"));
    expect([receive(state, SCHEMA), state.isLaidOut]).toEqual([[], true]);
  });

  it("has the layers fetched where they are others, as of a run that had none yet", () => {
    const state = new RunState();
    state.setLayers({ rows: [] } as unknown as LayersAnswer);
    expect([receive(state, SCHEMA), state.isLaidOut]).toEqual([["layers"], false]);
  });

  it("that is known already, as after a reconnection, changes nothing", () => {
    const state = following();
    state.receive(aFrame(30, { pre_db: [1, 2] }));
    expect(receive(state, SCHEMA)).toEqual([]);
    expect(state.desk.value(0, "pre_db")).toBe(1);
  });

  it("of another attempt begins anew", () => {
    const state = following();
    expect(receive(state, { ...SCHEMA, attempt: "a2" })).toEqual(["summary", "layers", "findings", "histories"]);
  });

  it("of another worker than the chief is left alone", () => {
    expect(receive(new RunState(), { ...SCHEMA, worker: 1 })).toEqual([]);
  });
});

describe("answers of the API", () => {
  it("fill the desk only until the feed has", () => {
    const state = new RunState();
    state.setLayers(layers("healthy"));
    expect(state.desk.value(0, "pre_db")).toBe(1);
    receive(state, SCHEMA);
    state.receive(aFrame(30, { pre_db: [7, 8] }));
    state.setLayers(layers("healthy"));
    expect(state.desk.value(0, "pre_db")).toBe(7);
    expect(state.headroomOf("r0")).toBe(15.5);
  });

  it("about the run do not take the feed's newer step back", () => {
    const state = following();
    state.receive(aFrame(30, { pre_db: [1, 2] }));
    state.setDetail(aRun({ step: 20 }));
    expect(state.step).toBe(30);
  });

  it("about the run have their non-finite logs read", () => {
    const state = new RunState();
    state.setDetail(aRun({ step: 20, logs: { loss: "NaN" } }));
    expect([state.step, state.logs]).toEqual([20, { loss: NaN }]);
  });
});

describe("findings", () => {
  const found = (given: object): Message => ({
    type: "finding",
    run: "run-1",
    finding: aFinding(given) as WireFinding,
  });

  it("judge their layer at once, and have fetched what they do not tell", () => {
    const state = following();
    state.setLayers(layers("healthy"));
    expect(receive(state, found({}))).toEqual(["summary", "findings"]);
    expect([state.verdictOf("r0"), state.verdictOf("r1")]).toEqual(["activity", "healthy"]);
  });

  it("take the place of their own earlier state", () => {
    const state = following();
    state.setLayers(layers("healthy"));
    receive(state, found({}));
    receive(state, found({ closed_step: 300 }));
    expect(state.findings).toHaveLength(1);
    expect(state.verdictOf("r0")).toBe("healthy");
  });

  it("keep the mark that the API told of them", () => {
    const state = following();
    state.setFindings([aFinding({ mark: { state: "muted", time: 5 } })]);
    const { mark: _, ...sent } = aFinding({ closed_step: 300 });
    receive(state, { type: "finding", run: "run-1", finding: sent as WireFinding });
    expect(state.findings[0]).toMatchObject({ closed_step: 300, mark: { state: "muted" } });
  });
});

it.each(["run_start", "run_end", "notice"])("%s has the summary fetched", (type) => {
  expect(receive(new RunState(), { type } as Message)).toEqual(["summary"]);
});

it("a layer is over its headroom whether or not there is a finding", () => {
  const state = following();
  state.setLayers(layers("healthy")); // the headroom of both is 15.5 dB
  state.receive(aFrame(30, { pre_db: [15.4, 15.6] }));
  expect([state.isOver(0), state.isOver(1), state.isOver(2)]).toEqual([false, true, false]);
});

it("counts the layers that are loud without a finding: one that is muted is known", () => {
  const state = following();
  state.setLayers(layers("healthy"));
  state.receive(aFrame(30, { pre_db: [15.6, 15.6] }));
  expect(state.counts.over).toBe(2);
  state.setFindings([aFinding({ row: "r0", mark: { state: "muted", time: 0 } })]);
  expect(state.counts.over).toBe(1);
});

it("a layer whose newest values are NaN is not called healthy, and its finding still counts", () => {
  const state = following();
  state.setLayers(layers("healthy"));
  state.receive(aFrame(30, { pre_db: [NaN, 2] }));
  expect([state.verdictOf("r0"), state.verdictOf("r1")]).toEqual(["", "healthy"]);
  state.setFindings([aFinding({ row: "r0", verdict: "nonfinite" })]);
  expect(state.verdictOf("r0")).toBe("nonfinite");
  state.setFindings([]);
  state.receive(aFrame(40, { pre_db: [1, 2] }));
  expect(state.verdictOf("r0")).toBe("healthy");
});

it("what the server says of the run judges its layers anew, where it is of the same ones", () => {
  const state = following();
  state.setLayers(layers("activity"));
  state.setDetail(aRun({ judged: ["healthy", ""] }));
  expect([state.verdictOf("r0"), state.verdictOf("r1")]).toEqual(["healthy", ""]);
  state.setDetail(aRun({ judged: ["activity"] }));
  expect(state.verdictOf("r0")).toBe("healthy");
});

it("a layer of which nobody has said anything is not judged", () => {
  expect(following().verdictOf("r0")).toBe("");
});

it("a panel's history is shown only for what it was asked for", () => {
  const state = following();
  state.setSeries("lines", LINES, history([10, 20], 1), state.wait());
  expect(state.seriesOf("lines", { layer: "r1", statistics: ["pre_db"] })).toBeNull();
  // Names are any text: two of them are not the one that they make together.
  state.setSeries("lines", { layer: null, statistics: ["a", "b"] }, history([10], 2), state.wait());
  expect(state.seriesOf("lines", { layer: null, statistics: ["a,b"] })).toBeNull();
  state.dropSeries("lines");
  expect(state.seriesOf("lines", LINES)).toBeNull();
});

it("a trial that the feed announces is counted, so that who shows trials asks again", () => {
  const state = following();
  const trial: Message = { ...SCHEMA, type: "trial", layer: "hidden" };
  expect([receive(state, trial), state.trials]).toEqual([[], 1]);
});
