/** What is known of a trial's contestants beside their order. */

import type { Contestant, Trial } from "./contract";
import { courseOf, LOSS, ranked } from "./trials";

// Trainings from which on a difference that all of them show is no chance: as `outcome.LEAST_SEEDS`.
const LEAST_SEEDS = 3;

export interface Standing {
  sign: string;
  words: string;
}

export const BEST: Standing = { sign: "★", words: "best" };
const FIRST: Standing = { sign: "≈", words: "first, but not told apart" };
const ALIKE: Standing = { sign: "≈", words: "not told apart from the first" };
const FEW: Standing = { sign: "≈", words: `first; fewer than ${LEAST_SEEDS} seeds do not tell` };

/** What is known of the first, and of those that the seeds do not tell apart from it. */
export function standingsOf(trial: Trial): ReadonlyMap<Contestant, Standing> {
  const [first, ...others] = ranked(trial).filter((contestant) => isWhole(trial, contestant));
  if (first === undefined) return new Map();
  if (trial.seeds.length < LEAST_SEEDS) return new Map([[first, FEW]]);
  const alike = others.filter((other) => !leads(trial, first, other));
  const marks = alike.map((other) => [other, ALIKE] as const);
  return new Map([[first, alike.length === 0 ? BEST : FIRST], ...marks]);
}

/** Whether no seed of it diverged. */
function isWhole(trial: Trial, contestant: Contestant): boolean {
  return [trial.metric, LOSS].every((column) => finalOf(contestant, column).every(Number.isFinite));
}

/** Whether it is better in every seed. Trials are ranked by the loss, or by what more is better of. */
function leads({ metric }: Trial, first: Contestant, second: Contestant): boolean {
  const sign = metric === LOSS ? -1 : 1;
  const other = finalOf(second, metric);
  return finalOf(first, metric).every((value, seed) => sign * (value - other[seed]!) > 0);
}

/** Of each seed. */
function finalOf(contestant: Contestant, column: string): number[] {
  return courseOf(contestant, column).seeds.map((values) => values.at(-1) ?? NaN);
}
