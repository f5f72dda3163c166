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

/** Columns of a block, and which of its [channels, columns] exist. */
interface Bank {
  name: string;
  columns: readonly string[];
  exists: Uint8Array;
}

// Levels that a meter shows, and shares of which any is too much.
const LEVELS = ["pre_db", "output_db"] as const;
const NON_FINITE = ["nonfinite_rate", "weight_nonfinite_rate"] as const;

type Blocks = ReadonlyMap<string, Pick<Block, "values">>;

export class Desk {
  private readonly places = new Map<string, { bank: Bank; column: number }>();
  private readonly byId: ReadonlyMap<string, number>;
  private readonly lists = new Map<number, readonly string[]>();
  private latest = new Map<string, Pick<Block, "values">>();

  readonly paths: readonly string[];
  /** The statistics that some channel has. */
  readonly statistics: readonly string[];
  /** The channels in groups, by the blocks of the model. */
  readonly bands: readonly Band[];

  private constructor(
    readonly channels: readonly Channel[],
    banks: readonly Bank[],
  ) {
    this.paths = channels.map(({ path }) => path);
    this.bands = bandsOf(this.paths);
    this.byId = new Map(channels.map(({ id }, index) => [id, index]));
    for (const bank of banks) {
      bank.columns.forEach((id, column) => {
        // The first bank that has a statistic is where it is read.
        if (!this.places.has(id)) this.places.set(id, { bank, column });
      });
    }
    this.statistics = [...this.places.keys()].filter((id) =>
      channels.some((_, channel) => this.has(channel, id)),
    );
  }

  static readonly empty = new Desk([], []);

  /** What the live feed announced; the numbers come with its frames. */
  static ofSchema(schema: Schema): Desk {
    const blocks = Object.entries(schema.blocks).filter(([name]) => !UNIT_MAPS.has(name));
    const banks = blocks.map(([name, block]) => ({
      name,
      columns: block.columns.map(({ id }) => id),
      exists: maskOf(block, schema.rows.length),
    }));
    return new Desk(schema.rows, banks);
  }

  /** What the API answered: names and numbers together. */
  static ofLayers(rows: readonly (Channel & { values: Record<string, JsonNumber> })[]): Desk {
    const columns = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
    const exists = new Uint8Array(rows.length * columns.length);
    const values = new Float32Array(rows.length * columns.length);
    rows.forEach((row, index) => {
      columns.forEach((id, column) => {
        const value = numberOf(row.values[id]);
        if (value === null) return;
        exists[index * columns.length + column] = 1;
        values[index * columns.length + column] = value;
      });
    });
    const desk = new Desk(rows, [{ name: "layers", columns, exists }]);
    desk.latest.set("layers", { values });
    return desk;
  }

  /** The blocks of a frame take the place of those before; what was not sampled stays. */
  take(blocks: Blocks): void {
    for (const [name, block] of blocks) if (!UNIT_MAPS.has(name)) this.latest.set(name, block);
  }

  /** A channel's newest value; null where it has none, NaN where it was NaN. */
  value(channel: number, statistic: string): number | null {
    return this.valueIn(this.latest, channel, statistic);
  }

  /** A channel's value in the blocks of one frame. */
  valueIn(blocks: Blocks, channel: number, statistic: string): number | null {
    const place = this.places.get(statistic);
    if (place === undefined || channel < 0) return null;
    const { bank, column } = place;
    const cell = channel * bank.columns.length + column;
    // A block of another size than the schema says leaves its cells undefined: no value.
    return bank.exists[cell] ? (blocks.get(bank.name)?.values[cell] ?? null) : null;
  }

  /** Whether the newest values of a channel show NaN or infinity in it. */
  isBroken(channel: number): boolean {
    return (
      LEVELS.some((id) => isBroken(this.value(channel, id))) ||
      // NaN is no share, and above none of them.
      NON_FINITE.some((id) => !((this.value(channel, id) ?? 0) <= 0))
    );
  }

  /** The statistics that a channel has; the same list whenever it is asked for. */
  statisticsOf(channel: number): readonly string[] {
    let found = this.lists.get(channel);
    if (found === undefined) {
      found = [...this.places.keys()].filter((id) => this.has(channel, id));
      this.lists.set(channel, found);
    }
    return found;
  }

  private has(channel: number, statistic: string): boolean {
    const { bank, column } = this.places.get(statistic)!;
    return bank.exists[channel * bank.columns.length + column] === 1;
  }

  /** Where a channel stands, by its id or else by its path; -1 where there is none. */
  find(layer: string): number {
    return this.byId.get(layer) ?? this.channels.findIndex(({ path }) => path === layer);
  }
}
