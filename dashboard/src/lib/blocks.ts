/**
 * Which block of the model each row belongs to.
 *
 * A path tells it where a layer holds others: `model/encoder/dense` lies in `model` > `encoder`,
 * and the parts of one layer (`lstm/forget`) in a block of the layer's own name. Flat models tell
 * it by how their layers are called, as Keras Applications and KerasHub do:
 * `conv2_block1_1_conv` lies in `conv2` > `block1`, `block_3_expand` in `block_3`.
 */

/** Neighbouring rows that belong together. */
export interface Block {
  /** What it is called within the block around it. */
  name: string;
  /** What the paths of its rows begin with; a second call of the same layers has the same. */
  path: string;
  from: number;
  /** One past its last row. */
  to: number;
  /** How many blocks are around it. */
  depth: number;
  /** Where the block around it stands in the list, always before; -1 where there is none. */
  parent: number;
  /** The row that is the layer whose parts the others are; -1 where no row is. */
  row: number;
}

// What such names begin with; each stands at the beginning of a name, and "_" or nothing after it.
const HABITS: readonly string[] = [
  // conv2_block1_1_conv, pool3_bn
  "(?:conv|pool)\\d+",
  // block2a_dwconv, stage_0, XBlock_1; also after what the model is called: convnext_tiny_stage_0
  "(?:[a-z][a-z\\d]*_)*?[a-z]*(?:block|stage|stack|layer|unit|cell|group)_?\\d+[a-z]?",
  // MobileNet's, whose first has no number
  "expanded_conv(?:_\\d+)?",
  // what stands before and after all that is counted
  "stem|top",
];
const HABIT = new RegExp(`^(?:${HABITS.join("|")})(?=_|$)`, "i");

// So many layers between two of one block were left to name themselves: `re_lu_3`, `add_15`.
const MOST_UNNAMED = 3;

/** The blocks that hold at least two rows and not all of them, each before those inside it. */
export function blocksOf(paths: readonly string[]): Block[] {
  const places = paths.map((_, row) => prefixes(paths, row));
  adopt(paths, places);
  const common = places.reduce(
    (least, place) => Math.min(least, shared(places[0]!, place)),
    Infinity,
  );
  const found: Found[] = [];
  const open: Found[] = [];
  for (let row = 0; row <= paths.length; row++) {
    const place = places[row]?.slice(common) ?? [];
    let kept = 0;
    while (kept < open.length && open[kept]!.path === place[kept]) kept++;
    // The same layers called again: their first one tells.
    const again = open.findLastIndex(({ from }) => paths[from] === paths[row]);
    if (again >= 0) kept = Math.min(kept, again);
    for (const closed of open.splice(kept)) closed.to = row;
    for (const [above, path] of place.slice(kept).entries()) {
      const around = places[row]![common + kept + above - 1];
      const name = around === undefined ? path : path.slice(around.length + 1);
      found.push({ name, path, from: row, to: row, inside: open.at(-1) });
      open.push(found.at(-1)!);
    }
  }
  return listed(found, paths);
}

/** The innermost block of each of so many rows; -1 where it is in none. */
export function innermost(blocks: readonly Block[], rows: number): Int32Array {
  const found = new Int32Array(rows).fill(-1);
  // Inner blocks come after those around them.
  blocks.forEach(({ from, to }, index) => found.fill(index, from, to));
  return found;
}

/** What a row is called within the block around it. */
export function nameWithin(block: Block | undefined, path: string): string {
  const isBelow = block !== undefined && path.length > block.path.length + 1;
  return isBelow && path.startsWith(block.path)
    ? path.slice(block.path.length + 1)
    : path.slice(path.lastIndexOf("/") + 1);
}

interface Found {
  name: string;
  path: string;
  from: number;
  to: number;
  inside: Found | undefined;
}

/** The beginnings of a row's path that name a block, from the outermost. */
function prefixes(paths: readonly string[], row: number): string[] {
  const path = paths[row]!;
  const found: string[] = [];
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    found.push(path.slice(0, at));
  }
  const below = `${path}/`;
  if (paths[row - 1]?.startsWith(below) || paths[row + 1]?.startsWith(below)) found.push(path);
  for (let at = path.lastIndexOf("/") + 1; at < path.length && found.at(-1) !== path;) {
    const habit = HABIT.exec(path.slice(at))?.[0];
    if (habit === undefined) break;
    found.push(path.slice(0, at + habit.length));
    at += habit.length + 1;
  }
  return found;
}

/** How many of the outermost prefixes are the same. */
function shared(left: readonly string[], right: readonly string[]): number {
  let count = 0;
  while (count < left.length && left[count] === right[count]) count++;
  return count;
}

/** Counts rows whose names follow no habit to the block that the rows around them belong to. */
function adopt(paths: readonly string[], places: string[][]): void {
  let before = 0;
  places.forEach((place, row) => {
    if (place.length < paths[row]!.split("/").length) return;
    const unnamed = row - before - 1;
    if (unnamed > 0 && unnamed <= MOST_UNNAMED) {
      const common = place.slice(0, shared(place, places[before]!));
      for (let between = before + 1; between < row; between++) {
        const own = places[between]!;
        if (shared(own, common) === own.length) places[between] = common;
      }
    }
    before = row;
  });
}

function listed(found: readonly Found[], paths: readonly string[]): Block[] {
  const blocks: Block[] = [];
  const places = new Map<Found, number>();
  for (const one of found) {
    const { name, path, from, to } = one;
    if (to - from < 2) continue;
    const parent = one.inside === undefined ? -1 : places.get(one.inside)!;
    const around = blocks[parent];
    if (around !== undefined && around.from === from && around.to === to) {
      // Nothing else is in there: one block of both names.
      around.name += path.slice(around.path.length);
      around.path = path;
      places.set(one, parent);
      continue;
    }
    places.set(one, blocks.length);
    blocks.push({ name, path, from, to, depth: (around?.depth ?? -1) + 1, parent, row: -1 });
  }
  for (const block of blocks) {
    const row = paths.slice(block.from, block.to).indexOf(block.path);
    if (row >= 0) block.row = block.from + row;
  }
  return blocks;
}
