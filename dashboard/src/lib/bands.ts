/** The layers in groups: runs of neighbours whose innermost block is one. */

import { blocksOf, innermost } from "./blocks";

export interface Band {
  /** The names of its block and of those around it, outermost first. */
  name: string;
  from: number;
  /** One past its last layer. */
  to: number;
}

export function bandsOf(paths: readonly string[]): Band[] {
  const blocks = blocksOf(paths);
  const inside = innermost(blocks, paths.length);
  const bands: Band[] = [];
  for (let from = 0, to = 1; from < paths.length; from = to++) {
    const block = inside[from]!;
    while (to < paths.length && inside[to] === block) to++;
    if (block < 0) continue;
    const names: string[] = [];
    for (let around = block; around >= 0; around = blocks[around]!.parent) names.unshift(blocks[around]!.name);
    bands.push({ name: names.join(" / "), from, to });
  }
  return bands;
}
