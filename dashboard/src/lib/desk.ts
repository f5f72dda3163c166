/** The console as it stands: every layer with the newest value of every statistic. */

import { type Band, bandsOf } from "./bands";
import { isBroken } from "./meter";
import { type JsonNumber, numberOf } from "./number";
import { type Block, maskOf, type Schema, UNIT_MAPS } from "./wire";

/** What is shown of a layer whatever its numbers are. */
export interface Channel {
  id: string;
  path: string;
  kind: string;
  /** Which call of the layer it is, from 0. */
  call: number;
  /** Where the channels stand that feed it. */
  inputs: readonly number[];
  activation: string | null;
  trainable: boolean;
  parameters: number;
  output_shape: readonly (number | null)[];
  kernel_shape: readonly number[];
  unjudged: string;
}

// Levels that a meter shows, and shares of which any is too much.
const LEVELS = ["pre_db", "output_db"] as const;
const NON_FINITE = ["nonfinite_rate", "weight_nonfinite_rate"] as const;

/** What is read of every channel, whatever else is shown: its strip, and whether it is broken. */
export const READ: readonly string[] = [
  ...LEVELS,
  "pre_max",
  "output_max",
  "input_db",
  "gain_db",
  "coherence_db",
  "saturation_rate",
  ...NON_FINITE,
];

/** Statistic -> its value of every channel. */
type Columns = ReadonlyMap<string, Pick<Block, "values">>;

export class Desk {
  private readonly byId: ReadonlyMap<string, number>;
  private readonly lists = new Map<number, readonly string[]>();
  private latest = new Map<string, Pick<Block, "values">>();

  readonly paths: readonly string[];
  /** The statistics that some channel has. */
  readonly statistics: readonly string[];
  /** The channels in groups, by the blocks of the model. */
  readonly bands: readonly Band[];

  /** @param exists Statistic -> 1 for each channel that has it. */
  private constructor(
    readonly channels: readonly Channel[],
    private readonly exists: ReadonlyMap<string, Uint8Array>,
  ) {
    this.paths = channels.map(({ path }) => path);
    this.bands = bandsOf(this.paths);
    this.byId = new Map(channels.map(({ id }, index) => [id, index]));
    this.statistics = [...exists.keys()].filter((id) => exists.get(id)!.includes(1));
  }

  static readonly empty = new Desk([], new Map());

  /** What the live feed announced; the numbers come with its frames. */
  static ofSchema(schema: Schema): Desk {
    const rows = schema.rows.length;
    const exists = new Map<string, Uint8Array>();
    for (const [name, block] of Object.entries(schema.blocks)) {
      if (UNIT_MAPS.has(name)) continue;
      const mask = maskOf(block, rows);
      block.columns.forEach(({ id }, column) => {
        // The first block that has a statistic is where it is read.
        if (exists.has(id)) return;
        exists.set(id, Uint8Array.from({ length: rows }, (_, row) => mask[row * block.columns.length + column]!));
      });
    }
    return new Desk(schema.rows, exists);
  }

  /** What the API answered: names and numbers together. */
  static ofLayers(rows: readonly (Channel & { values: Record<string, JsonNumber> })[]): Desk {
    const exists = new Map<string, Uint8Array>();
    const columns = new Map<string, { values: Float32Array }>();
    for (const id of new Set(rows.flatMap(({ values }) => Object.keys(values)))) {
      const values = rows.map((row) => numberOf(row.values[id]));
      exists.set(id, Uint8Array.from(values, (value) => Number(value !== null)));
      columns.set(id, { values: Float32Array.from(values, (value) => value ?? 0) });
    }
    const desk = new Desk(rows, exists);
    desk.take(columns);
    return desk;
  }

  /** The columns of a frame take the place of those before; what was not sampled stays. */
  take(columns: Columns): void {
    for (const [id, column] of columns) this.latest.set(id, column);
  }

  /** A channel's newest value; null where it has none, NaN where it was NaN. */
  value(channel: number, statistic: string): number | null {
    return this.reader(statistic)(channel);
  }

  /** Reads one statistic of many channels, in the columns of one frame or else in the newest. */
  reader(statistic: string, columns: Columns = this.latest): (channel: number) => number | null {
    const exists = this.exists.get(statistic);
    const values = columns.get(statistic)?.values;
    if (exists === undefined || values === undefined) return () => null;
    // A column that is shorter than the schema says leaves channels undefined: no value.
    return (channel) => (exists[channel] ? (values[channel] ?? null) : null);
  }

  /** Whether the newest values of a channel show NaN or infinity in it. */
  isBroken(channel: number): boolean {
    return this.breaks()(channel);
  }

  /** `isBroken` for many channels. */
  breaks(): (channel: number) => boolean {
    const levels = LEVELS.map((id) => this.reader(id));
    const shares = NON_FINITE.map((id) => this.reader(id));
    return (channel) =>
      levels.some((read) => isBroken(read(channel))) ||
      // NaN is no share, and above none of them.
      shares.some((read) => !((read(channel) ?? 0) <= 0));
  }

  /** The statistics that a channel has; the same list whenever it is asked for. */
  statisticsOf(channel: number): readonly string[] {
    let found = this.lists.get(channel);
    if (found === undefined) {
      found = this.statistics.filter((id) => this.exists.get(id)![channel]);
      this.lists.set(channel, found);
    }
    return found;
  }

  /** Where a channel stands, by its id or else by its path; -1 where there is none. */
  find(layer: string): number {
    return this.byId.get(layer) ?? this.channels.findIndex(({ path }) => path === layer);
  }
}
