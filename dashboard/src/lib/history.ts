/** A history as the server writes it in JSON, in the columns that it is drawn from. */

import type { SeriesAnswer } from "./contract";
import { numberOf } from "./number";
import type { History } from "./rollup";

/** Lanes in the order of `names`, without a value where the answer has nothing under a name. */
export function historyOf(
  { steps, series, downsampled }: Pick<SeriesAnswer, "steps" | "series" | "downsampled">,
  names: readonly string[],
): History {
  const columns = steps.length;
  const present = new Uint8Array(names.length * columns);
  const lane = (field: "min" | "max" | "last"): Float32Array => {
    const values = new Float32Array(names.length * columns);
    names.forEach((name, index) => {
      // A log may be called like something that every object has.
      const bands = Object.hasOwn(series, name) ? series[name] : undefined;
      bands?.[field].forEach((written, column) => {
        const value = numberOf(written);
        if (value === null) return;
        values[index * columns + column] = value;
        present[index * columns + column] = 1;
      });
    });
    return values;
  };
  return {
    steps,
    min: lane("min"),
    max: lane("max"),
    last: lane("last"),
    downsampled,
    exists: (cell) => present[cell] === 1,
  };
}
