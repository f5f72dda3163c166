/** What a training logs besides what its layers do, and which findings began meanwhile. */

import { formatCount } from "./number";

/** A log's value; null where there is none under its name, which may be any text. */
export function logOf<T>(logs: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(logs, name) ? logs[name]! : null;
}

// As many as the server keeps.
const MOST_LOGS = 256;

/** The newest value of each log: not every sample need log the same. */
export function logged<T>(before: Readonly<Record<string, T>>, now: Readonly<Record<string, T>>): Record<string, T> {
  const both = { ...before, ...now };
  return Object.keys(both).length <= MOST_LOGS ? both : { ...now };
}

/** The loss first, the others in the order in which Keras wrote them. */
export function lossFirst(names: Iterable<string>): string[] {
  return [...new Set(names)].sort((left, right) => Number(right === "loss") - Number(left === "loss"));
}

export function logTitle(name: string): string {
  return name.replaceAll("_", " ");
}

/** The steps at which findings began, each once. */
export function onsetsOf(findings: readonly { since_step: number }[]): number[] {
  return [...new Set(findings.map(({ since_step }) => since_step))].sort((left, right) => left - right);
}

const MOST_NAMED = 3;

/** What the marks in the charts say, in words; empty where there are none. */
export function onsetsText(onsets: readonly number[]): string {
  if (onsets.length === 0) return "";
  const named = onsets.slice(0, MOST_NAMED).map(formatCount).join(", ");
  const later = onsets.length - MOST_NAMED;
  const more = later > 0 ? ` and ${formatCount(later)} more` : "";
  return `▲ Findings began at ${onsets.length === 1 ? "step" : "steps"} ${named}${more}.`;
}
