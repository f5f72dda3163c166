/** The area between two lines, in pieces over which it does not change its sign. */

export type Line = ArrayLike<number | null | undefined>;

export interface Stretch {
  /** Its first and its last column. */
  from: number;
  to: number;
  /** Whether the line above is above. */
  rising: boolean;
}

/** @param below null: 0 everywhere. */
export function stretches(below: Line | null, above: Line): Stretch[] {
  const found: Stretch[] = [];
  const rise = (column: number): number | null => {
    const [low, high] = [below === null ? 0 : below[column], above[column]];
    return low == null || high == null ? null : high - low;
  };
  let from = 0;
  for (let column = 1; column <= above.length; column++) {
    const [before, now] = [rise(column - 1), rise(column)];
    if (before === null) {
      from = column;
    } else if (now === null || now >= 0 !== before >= 0) {
      // To the next column there is no gap where only the sign changes.
      found.push({ from, to: now === null ? column - 1 : column, rising: before >= 0 });
      from = column;
    }
  }
  return found;
}
