/**
 * The history of some lanes (layers of one statistic, or statistics of one layer) in columns.
 *
 * Columns are merged in pairs when the room is used up, keeping the lowest, highest and last value
 * of each, so that a long run costs a fixed amount of memory and loses no spike.
 */

/** What a column of a lane holds, or-ed; 0 where nothing was sampled. */
export const FINITE = 1;
export const NON_FINITE = 2; // NaN or +infinity
export const SILENT = 4; // -infinity, which is what 0 is in dB

export type Field = "min" | "max" | "last";

/** What the server sends for a range of steps; [lanes, columns] flattened, lane by lane. */
export interface History {
  steps: readonly number[];
  min: Float32Array;
  max: Float32Array;
  last: Float32Array;
  downsampled: boolean;
  /** Whether the value of a cell exists; a NaN that exists was NaN. */
  exists: (cell: number) => boolean;
}

const DEFAULT_CAPACITY = 1_600;

function kindOf(value: number): number {
  if (Number.isFinite(value)) return FINITE;
  return value === -Infinity ? SILENT : NON_FINITE;
}

/** Of so many columns the one whose step lies nearest to `step`; -1 where there is none. */
export function nearestColumn(steps: ArrayLike<number>, columns: number, step: number): number {
  let [low, high] = [0, columns];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  if (low === columns) return columns - 1;
  return low > 0 && step - steps[low - 1]! < steps[low]! - step ? low - 1 : low;
}

export class Rollup {
  readonly steps: Float64Array;
  readonly min: Float32Array;
  readonly max: Float32Array;
  readonly last: Float32Array;
  readonly kinds: Uint8Array;
  columns = 0;
  downsampled = false;
  /** The lowest and highest finite value that ever was in a cell. */
  lowest = Infinity;
  highest = -Infinity;
  /** Counts how often the columns were put together anew; between, only the last ones change. */
  revision = 0;
  /** Frames that one column holds, and how many the newest holds already. */
  private span = 1;
  private filled = 0;

  constructor(
    readonly lanes: number,
    readonly capacity = DEFAULT_CAPACITY,
  ) {
    const cells = lanes * capacity;
    this.steps = new Float64Array(capacity);
    this.min = new Float32Array(cells);
    this.max = new Float32Array(cells);
    this.last = new Float32Array(cells);
    this.kinds = new Uint8Array(cells);
  }

  static from(history: History, lanes: number, capacity = DEFAULT_CAPACITY): Rollup {
    const columns = history.steps.length;
    const rollup = new Rollup(lanes, Math.max(capacity, 2 * columns));
    rollup.steps.set(history.steps);
    rollup.columns = columns;
    rollup.filled = 1;
    rollup.downsampled = history.downsampled;
    for (let lane = 0; lane < lanes; lane++) {
      const from = lane * columns;
      const to = rollup.cell(lane, 0);
      for (const field of ["min", "max", "last"] as const) {
        rollup[field].set(history[field].subarray(from, from + columns), to);
      }
      for (let column = 0; column < columns; column++) {
        if (!history.exists(from + column)) continue;
        // Behind one NaN may lie finite values of the same column, and the other way round.
        const [low, high] = [history.min[from + column]!, history.max[from + column]!];
        rollup.kinds[to + column] = kindOf(low) | kindOf(high) | kindOf(history.last[from + column]!);
        if (Number.isFinite(low) && low < rollup.lowest) rollup.lowest = low;
        if (Number.isFinite(high) && high > rollup.highest) rollup.highest = high;
      }
    }
    return rollup;
  }

  cell(lane: number, column: number): number {
    return lane * this.capacity + column;
  }

  /** null where nothing was sampled; of a column that holds a NaN the finite ends remain. */
  value(field: Field, lane: number, column: number): number | null {
    const cell = this.cell(lane, column);
    const kind = this.kinds[cell] ?? 0;
    if (kind === 0) return null;
    return kind & FINITE ? this[field][cell]! : this.last[cell]!;
  }

  columnAt(step: number): number {
    return nearestColumn(this.steps, this.columns, step);
  }

  get firstStep(): number {
    return this.columns === 0 ? -1 : this.steps[0]!;
  }

  get lastStep(): number {
    return this.columns === 0 ? -1 : this.steps[this.columns - 1]!;
  }

  /**
   * Adds one sample. `read` gives a lane's value: NaN where it was NaN, null where there is none.
   * A step that is already in is left out: the history and the live feed overlap.
   */
  append(step: number, read: (lane: number) => number | null): void {
    if (step <= this.lastStep) return;
    if (this.columns === 0 || this.filled >= this.span) this.begin();
    const column = this.columns - 1;
    this.steps[column] = step;
    this.filled += 1;
    for (let lane = 0; lane < this.lanes; lane++) {
      const value = read(lane);
      if (value !== null) this.put(this.cell(lane, column), value);
    }
  }

  private begin(): void {
    if (this.columns === this.capacity) this.halve();
    const column = this.columns++;
    this.filled = 0;
    for (let lane = 0; lane < this.lanes; lane++) this.kinds[this.cell(lane, column)] = 0;
  }

  private put(cell: number, value: number): void {
    const kind = this.kinds[cell]!;
    this.last[cell] = value;
    this.kinds[cell] = kind | kindOf(value);
    if (!Number.isFinite(value)) return;
    this.min[cell] = kind & FINITE ? Math.min(this.min[cell]!, value) : value;
    this.max[cell] = kind & FINITE ? Math.max(this.max[cell]!, value) : value;
    if (value < this.lowest) this.lowest = value;
    if (value > this.highest) this.highest = value;
  }

  private halve(): void {
    const columns = this.columns >> 1;
    for (let column = 0; column < columns; column++) {
      this.steps[column] = this.steps[2 * column + 1]!;
      for (let lane = 0; lane < this.lanes; lane++) {
        this.merge(this.cell(lane, column), this.cell(lane, 2 * column));
      }
    }
    this.columns = columns;
    this.revision += 1;
    this.span *= 2;
    this.downsampled = true;
  }

  /** Puts `from` and the cell right of it into `to`, which may be `from` itself. */
  private merge(to: number, from: number): void {
    const [left, right] = [this.kinds[from]!, this.kinds[from + 1]!];
    const latest = right === 0 ? from : from + 1;
    const low = Math.min(this.low(from, left), this.low(from + 1, right));
    const high = Math.max(this.high(from, left), this.high(from + 1, right));
    this.last[to] = this.last[latest]!;
    this.min[to] = low;
    this.max[to] = high;
    this.kinds[to] = left | right;
  }

  private low(cell: number, kind: number): number {
    return kind & FINITE ? this.min[cell]! : Infinity;
  }

  private high(cell: number, kind: number): number {
    return kind & FINITE ? this.max[cell]! : -Infinity;
  }
}
