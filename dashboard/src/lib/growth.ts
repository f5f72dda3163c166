/** Which term made a layer's level what it is, over time: the terms in dB, and their sum. */

import type { Course } from "./course";
import { formatDb } from "./number";

export type TermPart = "input" | "gain" | "coherence";

export interface Term {
  part: TermPart;
  title: string;
  /** The statistics that it is made of. */
  needs: readonly string[];
  /** Its dB in a column; null where it cannot be drawn. */
  read: (course: Course, column: number) => number | null;
}

function plain(part: TermPart, title: string, id: string): Term {
  return { part, title, needs: [id], read: (course, column) => course.finite("last", id, column) };
}

const COHERENCE = plain("coherence", "Coherence", "coherence_db");

const TERMS: readonly Term[] = [
  plain("input", "Input", "input_db"),
  plain("gain", "Kernel gain", "gain_db"),
  COHERENCE,
];

// A gate has two ways in, whose energies add: in dB no sum of the four terms is the level.
const GATE_TERMS: readonly Term[] = [
  {
    part: "input",
    title: "Input and state, through their weights",
    needs: ["input_db", "gain_db", "state_rms", "recurrent_gain_db"],
    read: (course, column) => {
      const [input, gain, state, recurrent] = ["input_db", "gain_db", "state_rms", "recurrent_gain_db"].map(
        (id) => course.value("last", id, column),
      );
      if (input == null || gain == null || state == null || recurrent == null) return null;
      const level = 10 * Math.log10(10 ** ((input + gain) / 10) + state ** 2 * 10 ** (recurrent / 10));
      return Number.isFinite(level) ? level : null;
    },
  },
  COHERENCE,
];

/** What the terms of any layer are read from, and the level that they make together. */
export const TERM_STATISTICS: readonly string[] = [
  ...new Set([...TERMS, ...GATE_TERMS].flatMap(({ needs }) => needs)),
];

/** The terms that add up to a layer's level without its bias; none where it has no such terms. */
export function termsOf(course: Course): readonly Term[] {
  const has = (term: Term): boolean => term.needs.every((id) => course.has(id));
  return [GATE_TERMS, TERMS].find((terms) => terms.every(has)) ?? [];
}

/** Between which two levels each term's ribbon runs, from the first term's to the sum. */
export function cumulative(course: Course, terms: readonly Term[]): (number | null)[][] {
  const lines: (number | null)[][] = [Array.from({ length: course.columns }, () => 0)];
  for (const term of terms) {
    const below = lines.at(-1)!;
    lines.push(
      below.map((level, column) => {
        const value = level === null ? null : term.read(course, column);
        return level === null || value === null ? null : level + value;
      }),
    );
  }
  return lines;
}

export interface Change {
  title: string;
  change: number;
}

export interface Growth {
  from: number;
  to: number;
  /** The largest change first. */
  changes: Change[];
}

/** How far each term moved between the first and the last step that show all of them. */
export function growthOf(course: Course, terms: readonly Term[]): Growth | null {
  const sum = cumulative(course, terms).at(-1)!;
  const first = sum.findIndex((level) => level !== null);
  const last = sum.findLastIndex((level) => level !== null);
  if (terms.length === 0 || first < 0 || last === first) return null;
  const changes = terms.map((term) => ({
    title: term.title,
    change: term.read(course, last)! - term.read(course, first)!,
  }));
  return {
    from: course.rollup.steps[first]!,
    to: course.rollup.steps[last]!,
    changes: changes.sort((left, right) => Math.abs(right.change) - Math.abs(left.change)),
  };
}

// The standard error of a level that one position of a layer of one unit gives.
const UNCHANGED_DB = 0.5;

/** Which term grew, in words. */
export function sentenceOf({ changes }: Growth): string {
  const [most, ...others] = changes;
  if (most === undefined || Math.abs(most.change) < UNCHANGED_DB) {
    return `No term changed by more than ${formatDb(UNCHANGED_DB).replace("+", "")}.`;
  }
  const change = most.change > 0 ? `grew by ${formatDb(most.change)}` : `fell by ${formatDb(-most.change).replace("+", "")}`;
  const rest = others.map((other) => `${lower(other.title)} by ${formatDb(other.change)}`);
  return `${[`${most.title} ${change}`, rest.join(", ")].filter(Boolean).join("; ")}.`;
}

function lower(title: string): string {
  return title.charAt(0).toLowerCase() + title.slice(1);
}
