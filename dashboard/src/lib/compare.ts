/** Runs side by side: rows that they share, how far these lie apart, what was set otherwise. */

import { ApiError } from "./api";
import type { LayerRow, LayersAnswer, RunDetail } from "./contract";
import { lossFirst } from "./logs";
import { numberOf } from "./number";
import { isMade, isMap, written } from "./written";

export const LEAST_RUNS = 2;
/** More lines than this cannot be told apart. */
export const MOST_RUNS = 6;

/** How a run is drawn: a letter, a colour by its name and the dashes of its line. */
export interface Look {
  letter: string;
  colour: string;
  dash: readonly number[];
}

export const LOOKS: readonly Look[] = [
  { letter: "A", colour: "line-1", dash: [] },
  { letter: "B", colour: "line-2", dash: [9, 4] },
  { letter: "C", colour: "line-3", dash: [3, 3] },
  { letter: "D", colour: "line-4", dash: [12, 4, 3, 4] },
  { letter: "E", colour: "line-6", dash: [6, 2] },
  { letter: "F", colour: "line-7", dash: [2, 5] },
];

/** What is known of one of the runs. */
export interface Side {
  run: string;
  detail: RunDetail | null;
  layers: LayersAnswer | null;
  /** Why it is not known, or no longer brought up to date. */
  error: Error | null;
}

/** Whether there is no such run: one that was shown was there. */
export function isMissing({ detail, error }: Side): boolean {
  return detail === null && error instanceof ApiError && error.status === 404;
}

/** A row under its id, in each run; null where the run has none. */
export interface Match {
  id: string;
  rows: readonly (LayerRow | null)[];
}

/** What one thing is set to in each run, as text; null where it is not set. */
export interface Setting {
  name: string;
  values: readonly (string | null)[];
}

/** The runs that an address names, each once and no more than can be shown. */
export function runsOf(named: readonly string[]): string[] {
  return [...new Set(named)].filter((run) => run !== "").slice(0, MOST_RUNS);
}

/** The query of an address without one of its runs. */
export function without(search: string, run: string): string {
  const query = new URLSearchParams(search);
  const others = query.getAll("run").filter((other) => other !== run);
  query.delete("run");
  return `?${new URLSearchParams([...others.map((other) => ["run", other]), ...query])}`;
}

/** Rows that all runs have, and rows that only some have; runs without any row are left aside. */
export function matched(sides: readonly Side[]): { shared: Match[]; apart: Match[] } {
  const known = sides.map(({ layers }) => new Map(layers?.rows.map((row) => [row.id, row])));
  const ids = new Set(known.flatMap((rows) => [...rows.keys()]));
  const matches = [...ids].map((id) => ({ id, rows: known.map((rows) => rows.get(id) ?? null) }));
  return {
    shared: matches.filter((match) => !isParted(match, sides)),
    apart: matches.filter((match) => isParted(match, sides)),
  };
}

/** Whether some run has named its layers, and this is none of them. */
export function isParted({ rows }: Match, sides: readonly Side[]): boolean {
  return rows.some((row, side) => row === null && (sides[side]?.layers?.rows.length ?? 0) > 0);
}

/** What the row is called, the first run's name first. */
export function pathsOf({ rows }: Match): string[] {
  return [...new Set(rows.flatMap((row) => (row === null ? [] : [row.path])))];
}

/** The statistics that some run has of the row. */
export function statisticsOf({ rows }: Match): string[] {
  return [...new Set(rows.flatMap((row) => (row === null ? [] : presentIn(row))))];
}

export function presentIn(row: LayerRow): string[] {
  return Object.keys(row.values).filter((id) => numberOf(row.values[id]) !== null);
}

export function valueOf(row: LayerRow | null, statistic: string): number | null {
  return row === null ? null : numberOf(row.values[statistic]);
}

/**
 * By how much the second of two runs lies above the first, or how far more than two lie apart;
 * null where fewer than two have the value.
 */
export function difference({ rows }: Match, statistic: string): number | null {
  const values = rows
    .map((row) => valueOf(row, statistic))
    .filter((value): value is number => value !== null);
  if (values.length < 2) return null;
  // Also where it is NaN or infinite everywhere.
  if (values.every((value) => Object.is(value, values[0]))) return 0;
  if (rows.length === 2) return values[1]! - values[0]!;
  return values.some(Number.isNaN) ? NaN : Math.max(...values) - Math.min(...values);
}

/** The rows that lie furthest apart first; what is NaN in one run only is furthest of all. */
export function byDifference(matches: readonly Match[], statistic: string): Match[] {
  const size = (match: Match): number => {
    const apart = difference(match, statistic);
    if (apart === null) return -1;
    return Number.isNaN(apart) ? Infinity : Math.abs(apart);
  };
  const sized = matches.map((match) => ({ match, size: size(match) }));
  // Infinities do not subtract.
  sized.sort((left, right) => Number(right.size > left.size) - Number(right.size < left.size));
  return sized.map(({ match }) => match);
}

/** Rows of which some name holds the text, whatever its capitals. */
export function named(matches: readonly Match[], text: string): Match[] {
  const wanted = text.trim().toLowerCase();
  const holds = (path: string) => path.toLowerCase().includes(wanted);
  return matches.filter((match) => pathsOf(match).some(holds));
}

/** What is set differently, and what alike; a run of which nothing is known says neither. */
export function settings(sides: readonly (Readonly<Record<string, unknown>> | null)[]): {
  differing: Setting[];
  alike: Setting[];
} {
  const flat = sides.map((side) => (side === null ? null : new Map(entries(side))));
  const names = new Set(flat.flatMap((side) => [...(side?.keys() ?? [])]));
  const all = [...names].map((name) => ({
    name,
    values: flat.map((side) => side?.get(name) ?? null),
  }));
  const isAlike = ({ values }: Setting) =>
    new Set(values.filter((_, side) => flat[side] !== null)).size === 1;
  return {
    differing: all.filter((setting) => !isAlike(setting)),
    alike: all.filter(isAlike),
  };
}

function entries(set: Readonly<Record<string, unknown>>, above = ""): [string, string][] {
  return Object.entries(set).flatMap(([name, value]): [string, string][] =>
    isMap(value) && !isMade(value)
      ? entries(value, `${above}${name}.`)
      : [[above + name, written(value)]],
  );
}

/** The logs of all runs, the loss first. */
export function logsOf(sides: readonly Side[]): string[] {
  return lossFirst(sides.flatMap(({ detail }) => Object.keys(detail?.logs ?? {})));
}
