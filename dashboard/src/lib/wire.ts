/**
 * Messages of the live feed: the browser's half of `gainstage.wire`.
 *
 *     bytes 0-1   "GS"
 *     bytes 2-3   version, unsigned little-endian
 *     bytes 4-7   length of the header, unsigned little-endian
 *     header      MessagePack map, "type" names the message
 *     padding     zeros up to a multiple of 8 from the start of the message
 *     blocks      little-endian float32, each padded to a multiple of 8
 *
 * Blocks are mapped, never copied: each is a `Float32Array` over the bytes that arrived. That
 * reads them in the machine's byte order, which is little-endian wherever browsers run.
 */

import { decodeHeader } from "./header";

export const VERSION = 1;
const ALIGNMENT = 8;
const PREFIX_BYTES = 8;

/** Blocks whose columns are units of a row: whatever reads statistics leaves these out. */
export const UNIT_MAPS: ReadonlySet<string> = new Set(["units"]);

/** A message that cannot be read; its text says what was expected and what came. */
export class WireError extends Error {
  override name = "WireError";
}

/** A message of a later release, of a type that this one passes over. */
export class UnknownTypeError extends WireError {
  override name = "UnknownTypeError";
}

export interface Block {
  shape: readonly number[];
  values: Float32Array;
}

export interface Row {
  id: string;
  path: string;
  kind: string;
  call: number;
  inputs: number[];
  output_shape: (number | null)[];
  kernel_shape: number[];
  parameters: number;
  trainable: boolean;
  fan_in: number | null;
  activation: string | null;
  fused: boolean;
  unjudged: string;
  /** Values of the state that one pre-activation sums besides; absent before trainers sent it. */
  state_fan_in?: number | null;
  /** What the layer computes in; absent before trainers sent it. */
  dtype?: string;
}

export interface BlockSchema {
  columns: { id: string; version: number }[];
  /** One bit for each row and column, row by row, lowest bit first; 1 where the value exists. */
  mask: Uint8Array;
}

interface Sent {
  run: string;
  attempt: string;
  worker: number;
  seq: number;
  time: number;
}

export interface RunStart extends Sent {
  type: "run_start";
  project: string;
}

export interface Schema extends Sent {
  type: "schema";
  rows: Row[];
  blocks: Record<string, BlockSchema>;
}

export interface Frame extends Sent {
  type: "frame";
  schema: number;
  step: number;
  epoch: number;
  source: "probe" | "validation";
  logs: Record<string, number>;
  costs: Record<string, number>;
}

export interface Notice extends Sent {
  type: "notice";
  level: "info" | "warning" | "error";
  code: string;
  text: string;
}

export interface TrialResult extends Sent {
  type: "trial";
  layer: string;
}

export interface RunEnd extends Sent {
  type: "run_end";
  status: "completed" | "interrupted";
  frames: number;
  thinned: number;
}

export interface WireFinding {
  id: string;
  row: string;
  layer: string;
  verdict: string;
  severity: "info" | "warning" | "critical";
  since_step: number;
  last_step: number;
  closed_step: number | null;
  levels: Record<string, number>;
  evidence: Record<string, { value: number; limit: number | null; unit: string; reference: number | null }>;
  summary: string;
  remedy: string;
  code: string;
  /** Absent where an earlier release wrote the finding. */
  before?: string;
  effects: { term: string; change: number }[];
  alternatives: { name: string; reason: string }[];
}

export interface FindingChanged {
  type: "finding";
  run: string;
  finding: WireFinding;
}

export interface RunDeleted {
  type: "run_deleted";
  run: string;
}

/** What comes from here on is told; what was before, the API has. */
export interface Subscribed {
  type: "subscribed";
  /** Of the subscription that this answers. */
  id: number;
}

/** So many frames were not sent, because this page read too slowly. */
export interface Skipped {
  type: "skipped";
  run: string;
  frames: number;
}

/** The answer of the heatmap endpoint; its blocks are [rows, points]. */
export interface HeatmapAnswer {
  type: "heatmap";
  run: string;
  statistic: string;
  rows: string[];
  steps: number[];
  downsampled: boolean;
  present: boolean[];
}

/** The answer of the units endpoint; its block `pinned` is [groups, steps]. */
export interface UnitsAnswer {
  type: "units";
  run: string;
  row: string;
  layer: string;
  units: number;
  groups: number;
  steps: number[];
  downsampled: boolean;
}

export type Message =
  | RunStart
  | Schema
  | Frame
  | Notice
  | TrialResult
  | RunEnd
  | FindingChanged
  | RunDeleted
  | Subscribed
  | Skipped
  | HeatmapAnswer
  | UnitsAnswer;

const TYPES: ReadonlySet<string> = new Set<Message["type"]>([
  "run_start",
  "schema",
  "frame",
  "notice",
  "trial",
  "run_end",
  "finding",
  "run_deleted",
  "subscribed",
  "skipped",
  "heatmap",
  "units",
]);

export interface Decoded {
  message: Message;
  blocks: Map<string, Block>;
}

interface Place {
  name: string;
  shape: number[];
  offset: number;
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function mapBlock(data: ArrayBuffer, start: number, place: Place): Block {
  const count = place.shape.reduce((product, size) => product * size, 1);
  const begin = start + place.offset;
  if (place.offset < 0 || place.offset % ALIGNMENT !== 0 || count < 0) {
    throw new WireError(`Block "${place.name}" lies at an impossible place: ${place.offset}.`);
  }
  if (begin + 4 * count > data.byteLength) {
    throw new WireError(
      `Block "${place.name}" ends at byte ${begin + 4 * count}, the message at ${data.byteLength}.`,
    );
  }
  return { shape: place.shape, values: new Float32Array(data, begin, count) };
}

/**
 * The message in `data` and its blocks, which are views of `data`.
 *
 * @throws WireError where `data` is not a message that this version can read.
 */
export function decode(data: ArrayBuffer): Decoded {
  if (data.byteLength < PREFIX_BYTES) {
    throw new WireError(
      `A message has at least ${PREFIX_BYTES} bytes. Received: ${data.byteLength}.`,
    );
  }
  const prefix = new DataView(data, 0, PREFIX_BYTES);
  if (prefix.getUint8(0) !== 0x47 || prefix.getUint8(1) !== 0x53) {
    throw new WireError('A message begins with "GS".');
  }
  const version = prefix.getUint16(2, true);
  if (version !== VERSION) {
    throw new WireError(
      `This page reads messages of version ${VERSION}. Received version ${version}: reload the page.`,
    );
  }
  const end = PREFIX_BYTES + prefix.getUint32(4, true);
  if (end > data.byteLength) {
    throw new WireError(`The header ends at byte ${end}, the message at byte ${data.byteLength}.`);
  }
  const header = decodeHeader(new Uint8Array(data, PREFIX_BYTES, end - PREFIX_BYTES)) as Message & {
    blocks?: Place[];
  };
  if (!TYPES.has(header.type)) {
    throw new UnknownTypeError(
      `Unknown message "${header.type}". Expected one of ${[...TYPES].join(", ")}.`,
    );
  }
  const blocks = new Map<string, Block>();
  // A schema's `blocks` describe the columns of later frames; only these carry numbers.
  if (header.type === "frame" || header.type === "heatmap" || header.type === "units") {
    const start = padded(end);
    for (const place of header.blocks ?? []) {
      blocks.set(place.name, mapBlock(data, start, place));
    }
  }
  return { message: header, blocks };
}

/** [rows x columns], 1 where a value exists. */
export function maskOf(schema: BlockSchema, rows: number): Uint8Array {
  const bits = rows * schema.columns.length;
  const expected = Math.ceil(bits / 8);
  if (schema.mask.length !== expected) {
    throw new WireError(
      `A mask of ${rows} rows and ${schema.columns.length} columns has ${expected} bytes. ` +
        `Received: ${schema.mask.length}.`,
    );
  }
  return Uint8Array.from({ length: bits }, (_, bit) => (schema.mask[bit >> 3]! >> (bit & 7)) & 1);
}
