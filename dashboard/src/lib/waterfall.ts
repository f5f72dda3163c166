/** A finding's decomposition as bars that add up: input + gain + coherence = level, in dB. */

export type Part = "input" | "gain" | "coherence" | "bias" | "pre";

export interface Bar {
  part: Part;
  title: string;
  /** The bar reaches from `from` to `to`; a term begins where the one before it ended. */
  from: number;
  to: number;
  value: number;
}

export interface Waterfall {
  bars: Bar[];
  headroom: number | null;
  low: number;
  high: number;
}

const TERMS: readonly (readonly [Part, string])[] = [
  ["input", "Input"],
  ["gain", "Kernel gain"],
  ["coherence", "Coherence"],
];

// Room that is always shown, so that small levels do not look like large ones.
const SMALLEST_REACH = 20;
const STEP = 10;

function finite(levels: Record<string, number>, name: string): number | null {
  const value = levels[`${name}_db`] ?? levels[name];
  return value === undefined || !Number.isFinite(value) ? null : value;
}

/** The bars of `levels`; a term that the layer has not, or that is not finite, has no bar. */
export function waterfall(levels: Record<string, number>, headroom: number | null): Waterfall {
  const bars: Bar[] = [];
  let level = 0;
  for (const [part, title] of TERMS) {
    const value = finite(levels, part);
    if (value === null) continue;
    bars.push({ part, title, from: level, to: level + value, value });
    level += value;
  }
  const bias = finite(levels, "bias");
  if (bias !== null) bars.push({ part: "bias", title: "Bias", from: 0, to: bias, value: bias });
  const pre = finite(levels, "pre");
  if (pre !== null) bars.push({ part: "pre", title: "Pre-activation", from: 0, to: pre, value: pre });
  const mark = finite(levels, "headroom") ?? headroom;
  // The bias stands beside the sum; a faint one, far below, is no reason to shrink the rest.
  const ends = bars.flatMap(({ part, from, to }) => (part === "bias" ? [from] : [from, to]));
  if (mark !== null) ends.push(mark);
  if (bias !== null) ends.push(Math.max(bias, -SMALLEST_REACH));
  return {
    bars,
    headroom: mark,
    low: Math.floor(Math.min(-STEP, ...ends) / STEP) * STEP,
    high: Math.ceil(Math.max(SMALLEST_REACH, ...ends) / STEP) * STEP,
  };
}
