/** The spread of a layer's pre-activations over time, held against where its activation saturates. */

import type { Course } from "./course";

/** From the lowest to the highest; the middle one is the median. */
export const QUANTILES = [
  ["pre_q01", "1 %"],
  ["pre_q05", "5 %"],
  ["pre_q25", "25 %"],
  ["pre_q50", "median"],
  ["pre_q75", "75 %"],
  ["pre_q95", "95 %"],
  ["pre_q99", "99 %"],
] as const;

export const MEDIAN = 3;

/** Pairs of quantiles, the widest first; [low, high] are places in `QUANTILES`. */
export const BANDS: readonly (readonly [low: number, high: number])[] = [
  [0, 6],
  [1, 5],
  [2, 4],
];

/** Where an activation saturates; null where it never does on that side. */
export interface Edges {
  low: number | null;
  high: number | null;
}

/**
 * Each quantile over the steps. Where several samples share a point, a band reaches as far as any of
 * them did.
 */
export function fanLines(course: Course): (number | null)[][] {
  return QUANTILES.map(([id], index) => {
    const field = index < MEDIAN ? "min" : index > MEDIAN ? "max" : "last";
    return Array.from({ length: course.columns }, (_, column) => course.finite(field, id, column));
  });
}

export interface Reach {
  low: number;
  high: number;
  /** Whether an edge lies so far off that showing it would flatten the fan to a line. */
  beyond: boolean;
}

const LEAST_SHARE = 0.12;
const MARGIN = 0.06;
// What there is to see where all values are the same.
const SMALLEST_SPAN = 1e-3;

/** What of z is shown: all of the fan, and the activation's edges while that leaves the fan visible. */
export function reachOf(lines: readonly (readonly (number | null)[])[], { low, high }: Edges): Reach {
  let [least, most] = [Infinity, -Infinity];
  for (const line of lines) {
    for (const value of line) {
      if (value === null) continue;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  if (least > most) [least, most] = [low ?? -1, high ?? 1];
  const fan = Math.max(most - least, SMALLEST_SPAN);
  let beyond = false;
  for (const edge of [low, high]) {
    if (edge === null) continue;
    const [lower, upper] = [Math.min(least, edge), Math.max(most, edge)];
    if (fan < LEAST_SHARE * (upper - lower)) beyond = true;
    else [least, most] = [lower, upper];
  }
  const span = Math.max(most - least, SMALLEST_SPAN);
  return { low: least - MARGIN * span, high: most + MARGIN * span, beyond };
}

/** The parts of what is shown that are saturated, each from its lower to its higher z. */
export function saturatedParts({ low, high }: Reach, edges: Edges): [from: number, to: number][] {
  const parts: [number, number][] = [];
  if (edges.low !== null && edges.low > low) parts.push([low, Math.min(edges.low, high)]);
  if (edges.high !== null && edges.high < high) parts.push([Math.max(edges.high, low), high]);
  return parts;
}

/** Where the middle half of the values lies, in words; null where nothing can be said. */
export function readingOf(
  course: Course,
  column: number,
  format: (value: number) => string,
): string | null {
  const [low, middle, high] = ["pre_q25", "pre_q50", "pre_q75"].map((id) => course.finite("last", id, column));
  if (low == null || middle == null || high == null) return null;
  return `Half of the values lie between ${format(low)} and ${format(high)}, the median at ${format(middle)}.`;
}
