/** Up to `most` of `count` places, evenly chosen; the last is always one of them. */
export function evenly(count: number, most: number): number[] {
  const shown = Math.min(count, most);
  return Array.from({ length: shown }, (_, index) =>
    shown === 1 ? count - 1 : Math.round((index * (count - 1)) / (shown - 1)),
  );
}
