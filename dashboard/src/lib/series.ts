/** The columns of a history as a plot wants them: gaps are null. */

import { type Field, NON_FINITE, type Rollup } from "./rollup";

const FIELDS: readonly Field[] = ["min", "max", "last"];

/** Steps, then for each lane its lowest, highest and last values. */
export function plotData(rollup: Rollup): [number[], ...(number | null)[][]] {
  const columns = Array.from({ length: rollup.columns }, (_, column) => column);
  const lanes = Array.from({ length: rollup.lanes }, (_, lane) =>
    FIELDS.map((field) =>
      columns.map((column) => {
        const value = rollup.value(field, lane, column);
        return value !== null && Number.isFinite(value) ? value : null;
      }),
    ),
  );
  return [columns.map((column) => rollup.steps[column]!), ...lanes.flat()];
}

/** How many points hold a NaN or an infinity, which no line can show. */
export function nonFiniteOf(rollup: Rollup): number {
  let count = 0;
  for (let lane = 0; lane < rollup.lanes; lane++) {
    for (let column = 0; column < rollup.columns; column++) {
      if (rollup.kinds[rollup.cell(lane, column)]! & NON_FINITE) count++;
    }
  }
  return count;
}
