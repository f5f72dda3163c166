/** The list of runs: what it is searched, filtered and sorted by, and which part is shown. */

import type { RunSummary } from "./contract";
import { numberOf } from "./number";

export interface Column {
  id: string;
  title: string;
  /** What the column is sorted by; null comes last in either direction. */
  key: (run: RunSummary) => string | number | null;
  /** Numbers stand right, one below the other. */
  right?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { id: "run", title: "Run", key: ({ id }) => id },
  { id: "status", title: "Status", key: ({ status }) => status },
  { id: "findings", title: "Findings", key: (run) => run.findings_open },
  { id: "saturation", title: "Worst saturation", key: (run) => numberOf(run.worst_saturation) },
  { id: "step", title: "Last sample", key: ({ step }) => step, right: true },
  { id: "samples", title: "Samples", key: ({ frames }) => frames, right: true },
  { id: "started", title: "Started", key: ({ started }) => started, right: true },
  { id: "heard", title: "Last heard", key: (run) => run.last_seen, right: true },
];

/** As the address holds it; "" is no choice. */
export interface Choice {
  search: string;
  project: string;
  tag: string;
  status: string;
  /** A column's id, with "-" before it where the largest comes first. */
  sort: string;
  /** From 1. */
  page: number;
}

export type Name = keyof Choice;

// Newest first, as the server tells them.
const SORT = "-started";
export const PAGE_SIZE = 50;
// More in a menu are found sooner by the search.
const MOST_OPTIONS = 300;

/** The choice in an address; what it does not know there is not chosen. */
export function choiceOf(parameter: (name: Name) => string | null): Choice {
  const text = (name: Name): string => parameter(name) ?? "";
  const page = Number(text("page"));
  return {
    search: text("search"),
    project: text("project"),
    tag: text("tag"),
    status: text("status"),
    sort: columnOf(text("sort")) === undefined ? SORT : text("sort"),
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

function columnOf(sort: string): Column | undefined {
  return COLUMNS.find(({ id }) => id === sort.replace("-", ""));
}

export function isFiltered({ search, project, tag, status }: Choice): boolean {
  return [search.trim(), project, tag, status].some((value) => value !== "");
}

/** The runs that fit, in the order that was chosen; of equals, the newest comes first. */
export function listed(runs: readonly RunSummary[], choice: Choice): RunSummary[] {
  const words = choice.search.toLowerCase().split(/\s+/);
  const fitting = runs.filter(
    (run) =>
      (choice.project === "" || run.project === choice.project) &&
      (choice.tag === "" || run.tags.includes(choice.tag)) &&
      (choice.status === "" || run.status === choice.status) &&
      words.every((word) => says(run, word)),
  );
  const key = columnOf(choice.sort)?.key;
  if (key === undefined) return fitting;
  const sign = choice.sort.startsWith("-") ? -1 : 1;
  return fitting
    .map((run) => ({ run, key: key(run) }))
    .sort((left, right) => ordered(left.key, right.key, sign))
    .map(({ run }) => run);
}

function says(run: RunSummary, word: string): boolean {
  return [run.id, run.project, ...run.tags].some((text) => text.toLowerCase().includes(word));
}

function ordered(left: string | number | null, right: typeof left, sign: number): number {
  if (left === right) return 0;
  if (left === null || right === null) return left === null ? 1 : -1;
  return left < right ? -sign : sign;
}

/** How a column is sorted, in the words of `aria-sort`. */
export function orderOf({ id }: Column, { sort }: Choice): "ascending" | "descending" | undefined {
  if (sort === id) return "ascending";
  return sort === `-${id}` ? "descending" : undefined;
}

/** What a press on a column's heading chooses: names from A, numbers from the largest. */
export function pressed(column: Column, choice: Choice): string {
  const named = column.id === "run" || column.id === "status";
  const order = orderOf(column, choice) ?? (named ? "descending" : "ascending");
  return order === "ascending" ? `-${column.id}` : column.id;
}

export interface Part {
  runs: RunSummary[];
  page: number;
  pages: number;
  /** Places of the first and the last, from 1; 0 where there are none. */
  first: number;
  last: number;
}

/** The part of a list that is on `page`, or on the last one where there are not so many. */
export function partOf(runs: readonly RunSummary[], wanted: number): Part {
  const pages = Math.max(1, Math.ceil(runs.length / PAGE_SIZE));
  const page = Math.min(wanted, pages);
  const begin = (page - 1) * PAGE_SIZE;
  const shown = runs.slice(begin, begin + PAGE_SIZE);
  const first = shown.length === 0 ? 0 : begin + 1;
  return { runs: shown, page, pages, first, last: begin + shown.length };
}

/** A value that runs have, and how many have it. */
export type Option = readonly [value: string, count: number];

/** The values to choose from, by name; of very many, the most frequent, and `chosen` always. */
export function optionsOf(
  runs: readonly RunSummary[],
  values: (run: RunSummary) => readonly string[],
  chosen: string,
): Option[] {
  const counts = new Map<string, number>(chosen === "" ? [] : [[chosen, 0]]);
  for (const run of runs) {
    for (const value of values(run)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  counts.delete("");
  return [...counts]
    .sort(([left, most], [right, more]) =>
      left === chosen ? -1 : right === chosen ? 1 : more - most,
    )
    .slice(0, MOST_OPTIONS)
    .sort(([left], [right]) => (left < right ? -1 : 1));
}

export function comparisonOf(runs: readonly RunSummary[]): string {
  return `/compare?${new URLSearchParams(runs.map(({ id }) => ["run", id]))}`;
}
