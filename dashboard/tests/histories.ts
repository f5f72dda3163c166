/** Histories made from what each statistic was, step by step. */

import { Course } from "../src/lib/course";
import { Rollup } from "../src/lib/rollup";

/** @param values Statistic to its values at steps 10, 20, ...; null where nothing was sampled. */
export function courseOf(values: Readonly<Record<string, readonly (number | null)[]>>): Course {
  const ids = Object.keys(values);
  const rollup = new Rollup(ids.length);
  const columns = Math.max(0, ...ids.map((id) => values[id]!.length));
  for (let column = 0; column < columns; column++) {
    rollup.append(10 * (column + 1), (lane) => values[ids[lane]!]![column] ?? null);
  }
  return new Course(rollup, ids);
}
