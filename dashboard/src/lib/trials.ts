/** A trial as small multiples: each contestant's course of one column, all on the same axes. */

import type { Contestant, Trial } from "./contract";
import type { Channel } from "./desk";
import { numberOf } from "./number";
import { pythonNumber } from "./python";
import { linear, type Scale } from "./scale";
import { isShare } from "./statistic";

export const LOSS = "loss";
// What strengths were chosen by, on examples that are not reported on.
const NOT_SHOWN: ReadonlySet<string> = new Set(["choice", "choice_loss"]);
const STEP_DB = 10;
// A contestant that diverges must not flatten those that learn, which stay near where they began.
const MOST_OF_START = 2;

/** One column of one contestant; NaN where there is no such value. */
export interface Course {
  seeds: readonly Float32Array[];
  /** Over seeds, step by step. */
  mean: Float32Array;
}

/** The mean over seeds, the least and the most; all NaN where one of the seeds has no value. */
export interface Spread {
  mean: number;
  least: number;
  most: number;
}

/** What was measured, the metric that contestants are ranked by first. */
export function columnsOf(trial: Trial): string[] {
  const columns = Object.keys(trial.contestants[0]?.outcomes ?? {});
  const shown = columns.filter((column) => !NOT_SHOWN.has(column) && column !== trial.metric);
  return [trial.metric, ...shown];
}

/** The best strength of each arm, the best arm first. */
export function ranked(trial: Trial): Contestant[] {
  return trial.contestants
    .filter(({ rank }) => rank !== null)
    .sort((left, right) => left.rank! - right.rank!);
}

/** Strengths of a penalty that did worse than another of the same arm. */
export function outdone(trial: Trial): Contestant[] {
  return trial.contestants.filter(({ rank }) => rank === null);
}

/** As the trial's summary calls it. */
export function nameOf({ arm, strength }: Contestant): string {
  const value = numberOf(strength);
  return value === null ? arm : `${arm} L2(${pythonNumber(value, 2, 2)})`;
}

export function courseOf(contestant: Contestant, column: string): Course {
  const written = contestant.outcomes[column] ?? [];
  const seeds = written.map((values) =>
    Float32Array.from(values, (value) => numberOf(value) ?? NaN),
  );
  const mean = Float32Array.from({ length: seeds[0]?.length ?? 0 }, (_, place) => {
    let sum = 0;
    for (const values of seeds) sum += values[place]!;
    return sum / seeds.length;
  });
  return { seeds, mean };
}

export function spreadAt({ seeds, mean }: Course, place: number): Spread {
  const middle = mean[place] ?? NaN;
  if (!Number.isFinite(middle)) return { mean: NaN, least: NaN, most: NaN };
  const values = seeds.map((course) => course[place]!);
  return { mean: middle, least: Math.min(...values), most: Math.max(...values) };
}

/** Whether a course has no number at its end although the column is one that all have. */
export function isDiverged(trial: Trial, column: string, spread: Spread): boolean {
  return (column === LOSS || column === trial.metric) && Number.isNaN(spread.mean);
}

/** The axis that all courses of a column share. */
export function axisOf(trial: Trial, column: string, courses: readonly Course[]): Scale {
  if (isShare(column)) return linear(0, 1);
  let [low, high, start] = [Infinity, -Infinity, -Infinity];
  for (const { seeds } of courses) {
    for (const values of seeds) {
      if (Number.isFinite(values[0])) start = Math.max(start, values[0]!);
      for (const value of values) {
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  if (low > high) return linear(0, 1);
  if (column.endsWith("_db")) {
    const bottom = Math.floor(low / STEP_DB) * STEP_DB;
    return linear(bottom, Math.max(Math.ceil(high / STEP_DB) * STEP_DB, bottom + STEP_DB));
  }
  if (column === LOSS && start > 0) {
    return linear(Math.min(0, low), Math.min(high, MOST_OF_START * start));
  }
  // What contestants are ranked by, other than the loss, is at best 1.
  return column === trial.metric && high <= 1 ? linear(Math.min(0, low), 1) : linear(low, high);
}

/** The place of a step among those measured that lies nearest to `share` of the way. */
export function nearest(steps: readonly number[], share: number): number {
  const wanted = share * (steps.at(-1) ?? 0);
  let best = 0;
  steps.forEach((step, place) => {
    if (Math.abs(step - wanted) < Math.abs(steps[best]! - wanted)) best = place;
  });
  return best;
}

/** How far along its axis a step lies, from 0 to 100. */
export function along(steps: readonly number[], place: number): number {
  return (100 * (steps[place] ?? 0)) / (steps.at(-1) || 1);
}

/** An SVG path in a box of 100 by 100; it pauses where there is no value. */
export function pathOf(steps: readonly number[], values: Float32Array, axis: Scale): string {
  let [path, pen] = ["", "M"];
  values.forEach((value, place) => {
    if (!Number.isFinite(value)) {
      pen = "M";
      return;
    }
    const [x, y] = [along(steps, place), 100 * (1 - axis.place(value))];
    path += `${pen}${x.toFixed(2)} ${y.toFixed(2)}`;
    pen = "L";
  });
  return path;
}

/** The row of the run that a trial is of: a trial calls its layer by the path or by the name. */
export function channelOf(layer: string, channels: readonly Channel[]): Channel | null {
  const exact = channels.find(({ path }) => path === layer);
  const named = channels.filter(({ path }) => path.endsWith(`/${layer}`));
  return exact ?? (named.length === 1 ? named[0]! : null);
}

/** What runs a trial from files; names that a shell would not take as they are stand in quotes. */
export function commandOf(run: string, layer: string | null, url: string | null): string {
  const words = ["gainstage", "trial", "model.keras", "data.npz", "--run", run];
  if (layer !== null) words.push("--layer", layer);
  if (url !== null) words.push("--url", url);
  const plain = /^[\w./:@-]+$/;
  return words
    .map((word) => (plain.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
