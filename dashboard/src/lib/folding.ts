/** Which blocks of a model are folded, at first and as the page's address keeps it. */

import type { Block } from "./blocks";

// More boxes than these are no picture that is taken in at a glance.
const MOST_AT_FIRST = 40;
// Blocks with findings are opened although, as long as they do not make it a wall of boxes.
const MOST_WITH_FINDINGS = 150;

/**
 * The blocks to fold of a model of so many rows before anybody chose any: parts of one layer, and
 * of a large model the innermost blocks, then those around them, as far as it needs.
 *
 * @param marked Rows with open findings, the severest first: the blocks around them stay open.
 */
export function foldedAtFirst(
  blocks: readonly Block[],
  rows: number,
  marked: readonly number[],
): Set<number> {
  const folded = new Set<number>();
  blocks.forEach(({ row }, index) => {
    if (row >= 0) folded.add(index);
  });
  const deepest = blocks.reduce((most, { depth }) => Math.max(most, depth), -1);
  for (let level = deepest; level >= 0 && boxesOf(blocks, rows, folded) > MOST_AT_FIRST; level--) {
    blocks.forEach(({ depth }, index) => {
      if (depth === level) folded.add(index);
    });
  }
  for (const row of marked) {
    const around = blocks.flatMap(({ from, to }, index) =>
      from <= row && row < to && folded.has(index) ? [index] : [],
    );
    if (around.length === 0) continue;
    for (const index of around) folded.delete(index);
    if (boxesOf(blocks, rows, folded) > MOST_WITH_FINDINGS) {
      for (const index of around) folded.add(index);
    }
  }
  return folded;
}

/** How many boxes are visible. */
function boxesOf(blocks: readonly Block[], rows: number, folded: ReadonlySet<number>): number {
  let [count, until] = [rows, 0];
  blocks.forEach(({ from, to }, index) => {
    if (from < until || !folded.has(index)) return;
    count -= to - from - 1;
    until = to;
  });
  return count;
}

/** Folded blocks as an address keeps them, by their places: `0-3.7`. */
export function foldedText(folded: ReadonlySet<number>): string {
  const ranges: [number, number][] = [];
  for (const index of [...folded].sort((left, right) => left - right)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(".");
}

/** What `foldedText` wrote; what is not of this model of so many blocks is left out. */
export function foldedFrom(text: string, blocks: number): Set<number> {
  const folded = new Set<number>();
  for (const range of text.split(".")) {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (from === undefined) continue;
    const end = Math.min(Number(to ?? from), blocks - 1);
    for (let index = Number(from); index <= end; index++) folded.add(index);
  }
  return folded;
}
