/**
 * The columns of a history as a plot wants them: null interrupts a line, undefined does not. Some
 * statistics are sampled less often than others of the same history.
 */

import { type Field, NON_FINITE, type Rollup } from "./rollup";

const FIELDS: readonly Field[] = ["min", "max", "last"];

/** Steps, then for each lane its lowest, highest and last values; -1 is a lane without any. */
export function plotData(
  rollup: Rollup,
  lanes: readonly number[] = allOf(rollup),
): [number[], ...(number | null | undefined)[][]] {
  const columns = Array.from({ length: rollup.columns }, (_, column) => column);
  const lines = lanes.map((lane) =>
    FIELDS.map((field) =>
      columns.map((column) => {
        const value = lane < 0 ? null : rollup.value(field, lane, column);
        if (value === null) return undefined;
        return Number.isFinite(value) ? value : null;
      }),
    ),
  );
  return [columns.map((column) => rollup.steps[column]!), ...lines.flat()];
}

/** How many points hold a NaN or an infinity, which no line can show. */
export function nonFiniteOf(rollup: Rollup, lanes: readonly number[] = allOf(rollup)): number {
  let count = 0;
  for (const lane of lanes) {
    for (let column = 0; column < rollup.columns; column++) {
      if (rollup.kinds[rollup.cell(lane, column)]! & NON_FINITE) count++;
    }
  }
  return count;
}

function allOf(rollup: Rollup): number[] {
  return Array.from({ length: rollup.lanes }, (_, lane) => lane);
}
