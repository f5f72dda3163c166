/** What the dashboard knows about a statistic: how to write its values and on which scale. */

import { formatDb, formatNumber, formatShare } from "./number";

/** A share lies between 0 and 1; other ratios, such as a gain, do not. */
export function isShare(id: string): boolean {
  return id.endsWith("_rate") || id.endsWith("_units");
}

// What a gradient or an update is may be off by orders of magnitude, and that is what one looks for.
const MAGNITUDES: ReadonlySet<string> = new Set([
  "gradient_rms",
  "gradient_ratio",
  "penalty_ratio",
  "update_ratio",
]);

/** Whether a statistic is read by its order of magnitude, on a logarithmic scale. */
export function isMagnitude(id: string): boolean {
  return MAGNITUDES.has(id);
}

export function formatStatistic(id: string, unit: string, value: number | null): string {
  if (unit === "dB" || id.endsWith("_db")) return formatDb(value);
  if (isShare(id)) return formatShare(value);
  return formatNumber(value);
}

export interface Preset {
  title: string;
  statistics: readonly string[];
}

/** Sets of statistics that answer one question together. */
export const PRESETS: readonly Preset[] = [
  { title: "Levels", statistics: ["pre_db", "input_db", "gain_db", "coherence_db", "output_db"] },
  { title: "Coherence", statistics: ["coherence_db", "common_mode_db", "aligned_db"] },
  { title: "Saturation", statistics: ["saturation_rate", "saturated_units", "dead_units"] },
  { title: "Quantiles", statistics: ["pre_q01", "pre_q25", "pre_q50", "pre_q75", "pre_q99"] },
  { title: "Weights", statistics: ["kernel_rms", "bias_rms"] },
  { title: "Update", statistics: ["update_ratio"] },
];

/** What shows a verdict best over time; of a run without findings it is the first that exists. */
const SHOWN_BY: ReadonlyMap<string | undefined, string> = new Map([
  ["nonfinite", "nonfinite_rate"],
  ["dead", "dead_units"],
]);
const SHOWN_FIRST: readonly string[] = ["pre_db", "output_db"];

/** The statistic to show before anything was chosen. */
export function telling(verdict: string | undefined, known: readonly string[]): string {
  const candidates = [SHOWN_BY.get(verdict) ?? "", ...SHOWN_FIRST, ...known];
  return candidates.find((id) => known.includes(id)) ?? "";
}

/** More lines than this cannot be told apart by colour. */
export const MOST_SERIES = 7;

/** The statistics that the address names, each once; null where it leaves the choice to the page. */
export function linesOf(text: string | null): string[] | null {
  if (text === null) return null;
  return [...new Set(text.split(",").filter((id) => id !== ""))].slice(0, MOST_SERIES);
}

/** A term of the level has its colour in the finding, on the console and as a line. */
const OWN_LINE: ReadonlyMap<string, number> = new Map([
  ["input_db", 1],
  ["coherence_db", 2],
  ["pre_db", 3],
  ["gain_db", 4],
  ["bias_db", 7],
]);

/** For each statistic which of the colours `--line-1` to `--line-7` it is drawn with. */
export function lineColours(ids: readonly string[]): string[] {
  const own = ids.map((id) => OWN_LINE.get(id));
  const numbers = Array.from({ length: MOST_SERIES }, (_, index) => index + 1);
  const free = numbers.filter((number) => !own.includes(number));
  return own.map((number) => `line-${number ?? free.shift() ?? MOST_SERIES}`);
}
