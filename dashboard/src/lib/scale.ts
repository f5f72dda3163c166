/** From a value to a place between 0 and 1: the colour scale of a heatmap. */

import type { Rollup } from "./rollup";
import { isShare } from "./statistic";

export interface Scale {
  low: number;
  high: number;
  logarithmic: boolean;
  /** Whether -infinity is a value like others: 0 in dB. */
  silence: boolean;
  /** 0 at `low`, 1 at `high`, held at both ends. */
  place: (value: number) => number;
}

// Levels of a network spread over orders of magnitude; below this factor a linear scale shows more.
const LOGARITHMIC_FROM = 100;
// One layer that is all but silent must not take the colours from all others.
const WIDEST_DB = 80;

function clamp(share: number): number {
  return share < 0 ? 0 : share > 1 ? 1 : share;
}

export function linear(low: number, high: number, silence = false): Scale {
  const span = high - low || 1;
  return { low, high, logarithmic: false, silence, place: (value) => clamp((value - low) / span) };
}

export function logarithmic(low: number, high: number): Scale {
  const span = Math.log(high / low) || 1;
  return {
    low,
    high,
    logarithmic: true,
    silence: false,
    place: (value) => (value <= 0 ? 0 : clamp(Math.log(value / low) / span)),
  };
}

/** The scale of the finite values that `rollup` has held. */
export function scaleOf(statistic: string, { lowest: low, highest: high }: Rollup): Scale {
  if (isShare(statistic)) return linear(0, 1);
  if (low > high) return linear(0, 1, statistic.endsWith("_db"));
  if (statistic.endsWith("_db")) {
    // Whole steps of 10 dB keep the colours still while the run goes on.
    const top = Math.ceil(high / 10) * 10;
    return linear(Math.max(Math.floor(low / 10) * 10, top - WIDEST_DB), top, true);
  }
  return low > 0 && high / low >= LOGARITHMIC_FROM ? logarithmic(low, high) : linear(low, high);
}
