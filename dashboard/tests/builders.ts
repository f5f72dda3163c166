/** Small examples of what the server sends; each test names only what it is about. */

import type { Finding, LayerRow, RunDetail, RunSummary, Trial } from "../src/lib/contract";
import type { Channel } from "../src/lib/desk";
import type { Decoded, Frame, Row, Schema } from "../src/lib/wire";
import type { Attempt, Worker } from "../src/lib/workers";

const SENT = { run: "run-1", attempt: "a1", worker: 0, seq: 1, time: 1_700_000_000 };

export function aFinding(given: Partial<Finding> = {}): Finding {
  return {
    id: "f1",
    row: "r0",
    layer: "model/hidden",
    verdict: "activity",
    severity: "warning",
    since_step: 100,
    last_step: 200,
    closed_step: null,
    levels: {},
    evidence: {},
    summary: "",
    remedy: "",
    code: "",
    before: "",
    effects: [],
    alternatives: [],
    mark: null,
    ...given,
  };
}

export function aRow(given: Partial<Row> = {}): Row {
  return {
    id: "r0",
    path: "model/hidden",
    kind: "Dense",
    call: 0,
    inputs: [],
    output_shape: [null, 8],
    kernel_shape: [4, 8],
    parameters: 40,
    trainable: true,
    fan_in: 4,
    activation: "sigmoid",
    fused: true,
    unjudged: "",
    ...given,
  };
}

/** A row as the API answers it. */
export function aLayerRow(given: Partial<LayerRow> = {}): LayerRow {
  return {
    ...aRow(),
    arguments: {},
    state_fan_in: null,
    dtype: "float32",
    verdict: "",
    headroom_db: null,
    values: {},
    ...given,
  };
}

export function aChannel(given: Partial<Channel> = {}): Channel {
  return aRow(given as Partial<Row>);
}

/** A schema whose rows have every statistic of `columns`, unless `mask` says otherwise. */
export function aSchema(rows: Row[], columns: string[], given: Partial<Schema> = {}): Schema {
  const bits = rows.length * columns.length;
  const mask = new Uint8Array(Math.ceil(bits / 8));
  for (let bit = 0; bit < bits; bit++) mask[bit >> 3]! |= 1 << (bit & 7);
  const blocks = { layers: { columns: columns.map((id) => ({ id, version: 1 })), mask } };
  return { ...SENT, type: "schema", rows, blocks, ...given };
}

/** A frame as the feed brings it: a column for each statistic of `values`. */
export function aFrame(
  step: number,
  values: Record<string, readonly number[]>,
  given: Partial<Frame> = {},
): Decoded {
  const message: Frame = {
    ...SENT,
    type: "frame",
    seq: step,
    schema: 1,
    step,
    epoch: 0,
    source: "probe",
    logs: {},
    costs: {},
    ...given,
  };
  const columns = Object.entries(values).map(
    ([id, column]) => [id, { shape: [column.length], values: Float32Array.from(column) }] as const,
  );
  return { message, blocks: new Map(columns) };
}

export function aRunSummary(given: Partial<RunSummary> = {}): RunSummary {
  return {
    id: "run-1",
    project: "p",
    tags: [],
    status: "live",
    started: 1_700_000_000,
    last_seen: 1_700_000_000,
    ended: null,
    step: 10,
    epoch: 0,
    frames: 1,
    layers: 2,
    findings_open: 0,
    verdicts: {},
    worst_saturation: null,
    config: {},
    environment: {},
    logs: {},
    ...given,
  };
}

export function aRun(given: Partial<RunDetail> = {}): RunDetail {
  return { ...aRunSummary(), judged: [], notices: [], attempts: [], workers: [], ...given };
}

export function aWorker(given: Partial<Worker> = {}): Worker {
  return { worker: 0, attempt: "a1", status: "live", last_seen: 1_700_000_000, step: 10, behind: 0, ...given };
}

/** An attempt whose steps 20 to 30 were abandoned. */
export function aBranch(given: Partial<Attempt> = {}): Attempt {
  return {
    attempt: "a1",
    worker: 0,
    started: 1_700_000_000,
    ended: null,
    status: "running",
    frames: 4,
    thinned: 0,
    first_step: 0,
    last_step: 30,
    last_seen: 1_700_000_000,
    abandoned: { from: 20, to: 30, by: "a2" },
    ...given,
  };
}

export function aTrial(given: Partial<Trial> = {}): Trial {
  return {
    time: 1_700_000_000,
    layer: "hidden",
    summary: "",
    metric: "accuracy",
    seeds: [0],
    steps: [0, 10],
    interrupted: false,
    contestants: [],
    ...given,
  };
}
