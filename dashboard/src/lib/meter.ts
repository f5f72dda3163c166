/** A channel's level, and the scale of its meter. */

import type { Desk } from "./desk";

export const LOWEST_DB = -40;
export const HIGHEST_DB = 50;
export const TICKS: readonly number[] = [-40, -20, 0, 20, 40];

/** What a channel's meter shows: the pre-activation, or the output of a layer that has none. */
export function levelOf(desk: Desk, channel: number): { signal: "pre" | "output"; level: number | null } {
  const pre = desk.value(channel, "pre_db");
  return pre === null
    ? { signal: "output", level: desk.value(channel, "output_db") }
    : { signal: "pre", level: pre };
}

/** Where a level stands on the meter, 0 at the bottom and 1 at the top. */
export function height(level: number | null): number {
  if (level === null || Number.isNaN(level)) return 0;
  return Math.min(Math.max((level - LOWEST_DB) / (HIGHEST_DB - LOWEST_DB), 0), 1);
}

/** Whether a level is none: silence, minus infinity, is one. */
export function isBroken(level: number | null): boolean {
  return level !== null && (Number.isNaN(level) || level === Infinity);
}

export function decibels(magnitude: number | null): number | null {
  return magnitude === null ? null : 20 * Math.log10(magnitude);
}
