/** A channel's level, and where the parts of its meter stand. */

import type { Desk } from "./desk";

export const LOWEST_DB = -40;
export const HIGHEST_DB = 50;
export const TICKS: readonly number[] = [-40, -20, 0, 20, 40];

/** What a meter shows of its channel. */
export interface Reading {
  level: number | null;
  /** The loudest value of late, in dB. */
  peak: number | null;
  headroom: number | null;
  /** Whether there is NaN or infinity in what is measured: no level of the rest is fine then. */
  broken: boolean;
  /** Whether it was over its headroom a moment ago. */
  clipped: boolean;
}

/** Heights on the meter, 0 at the bottom and 1 at the top. */
export interface Parts {
  /** Lit up to here... */
  lit: number;
  /** ... of it in another colour from here on. */
  limit: number;
  peak: number | null;
  headroom: number | null;
  lamp: "on" | "held" | "off";
  /** What stands in place of a level where there is none; else empty. */
  word: string;
}

interface Level {
  signal: "pre" | "output";
  level: number | null;
}

/** What a channel's meter shows: the pre-activation, or the output of a layer that has none. */
export function levelOf(desk: Desk, channel: number): Level {
  return levelsOf(desk)(channel);
}

/** `levelOf` for many channels. */
export function levelsOf(desk: Desk): (channel: number) => Level {
  const [before, after] = [desk.reader("pre_db"), desk.reader("output_db")];
  return (channel) => {
    const pre = before(channel);
    return pre === null ? { signal: "output", level: after(channel) } : { signal: "pre", level: pre };
  };
}

/** Where a level stands on the meter, 0 at the bottom and 1 at the top. */
export function height(level: number | null): number {
  if (level === null || Number.isNaN(level)) return 0;
  return Math.min(Math.max((level - LOWEST_DB) / (HIGHEST_DB - LOWEST_DB), 0), 1);
}

export function partsOf({ level, peak, headroom, broken, clipped }: Reading): Parts {
  const over = level !== null && headroom !== null && level > headroom;
  const limit = headroom === null ? 1 : height(headroom);
  return {
    lit: broken ? 0 : height(level),
    limit,
    peak: broken || peak === null || height(peak) === 0 ? null : height(peak),
    headroom: headroom === null ? null : limit,
    lamp: over || broken ? "on" : clipped ? "held" : "off",
    word: !broken ? "" : level === Infinity ? "∞" : "NaN",
  };
}

/** Whether a level is none: silence, minus infinity, is one. */
export function isBroken(level: number | null): boolean {
  return level !== null && (Number.isNaN(level) || level === Infinity);
}

export function decibels(magnitude: number | null): number | null {
  return magnitude === null ? null : 20 * Math.log10(magnitude);
}
