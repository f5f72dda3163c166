/** Statistics of one layer over the same steps, found by their names. */

import type { Field, Rollup } from "./rollup";

export class Course {
  private readonly lanes: ReadonlyMap<string, number>;

  /** @param ids The statistics of the history's lanes, in their order. */
  constructor(
    readonly rollup: Rollup,
    ids: readonly string[],
  ) {
    this.lanes = new Map(ids.map((id, lane) => [id, lane]));
  }

  /** Where a statistic stands in the history; -1 where it is not in it. */
  laneOf(id: string): number {
    return this.lanes.get(id) ?? -1;
  }

  /** Whether a statistic has any value in what is shown. */
  has(id: string): boolean {
    const lane = this.laneOf(id);
    if (lane < 0) return false;
    const begin = this.rollup.cell(lane, 0);
    return this.rollup.kinds.subarray(begin, begin + this.rollup.columns).some((kind) => kind !== 0);
  }

  /** null where nothing was sampled. */
  value(field: Field, id: string, column: number): number | null {
    const lane = this.laneOf(id);
    if (lane < 0 || column < 0 || column >= this.rollup.columns) return null;
    return this.rollup.value(field, lane, column);
  }

  /** The newest value up to a column: not every statistic is sampled at every step. */
  latest(id: string, column: number): number | null {
    for (let at = Math.min(column, this.rollup.columns - 1); at >= 0; at--) {
      const value = this.value("last", id, at);
      if (value !== null) return value;
    }
    return null;
  }

  /** Whether a statistic was ever anything but 0. */
  isAny(id: string): boolean {
    for (let at = 0; at < this.rollup.columns; at++) {
      // NaN is something, too.
      const values = [this.value("min", id, at), this.value("max", id, at)];
      if (values.some((value) => value !== null && value !== 0)) return true;
    }
    return false;
  }

  /** A value that can be drawn: NaN and infinities are none. */
  finite(field: Field, id: string, column: number): number | null {
    const value = this.value(field, id, column);
    return value !== null && Number.isFinite(value) ? value : null;
  }

  /** The column nearest to a step; the newest where no step is pointed at. */
  columnAt(step: number | null): number {
    return step === null ? this.rollup.columns - 1 : this.rollup.columnAt(step);
  }

  get columns(): number {
    return this.rollup.columns;
  }

  get steps(): number[] {
    return [...this.rollup.steps.subarray(0, this.rollup.columns)];
  }
}
