/** What a strip of the console says below its meter, and to those who do not see it. */

import type { Desk } from "./desk";
import { levelOf } from "./meter";
import { formatDb, formatShare } from "./number";

/** From where to where a bar is filled, in parts of its length. */
export type Filled = readonly [from: number, to: number];

/** What explains a level: a name, a bar and a number. */
export interface Line {
  statistic: string;
  short: string;
  title: string;
  /** The name of its colour. */
  colour: string;
  filled: (value: number | null) => Filled;
  format: (value: number | null) => string;
}

// Beyond, a bar is as long as it gets.
const FULL_DB = 40;

/** Leans left below 0 dB and right above. */
function leaning(value: number | null): Filled {
  const lean = value === null || Number.isNaN(value) ? 0 : Math.min(Math.max(value / FULL_DB, -1), 1);
  return [Math.min(0.5, 0.5 + lean / 2), Math.max(0.5, 0.5 + lean / 2)];
}

function share(value: number | null): Filled {
  return [0, value === null || Number.isNaN(value) ? 0 : Math.min(value, 1)];
}

const term = { filled: leaning, format: (value: number | null) => formatDb(value, false) };

export const LINES: readonly Line[] = [
  { statistic: "input_db", short: "In", title: "Input level", colour: "input", ...term },
  { statistic: "gain_db", short: "Gain", title: "Kernel gain", colour: "gain", ...term },
  { statistic: "coherence_db", short: "Coh", title: "Coherence", colour: "coherence", ...term },
  { statistic: "saturation_rate", short: "Sat", title: "Saturation rate", colour: "critical", filled: share, format: formatShare },
];

/** What is drawn on a channel's strip, in words. */
export function spoken(desk: Desk, channel: number): string {
  const { signal, level } = levelOf(desk, channel);
  const lines = LINES.map(({ statistic, title, format }) => [title, desk.value(channel, statistic), format] as const);
  const known = lines.filter(([, value]) => value !== null);
  return [`${signal} level ${formatDb(level)}`, ...known.map(([title, value, format]) => `${title} ${format(value)}`)].join("; ");
}
