/** Which items of a long list are near the visible part of it. */

export interface Slice {
  from: number;
  to: number;
}

export function visible(
  scrolled: number,
  viewport: number,
  itemSize: number,
  items: number,
  beyond: number,
): Slice {
  const first = Math.floor(scrolled / itemSize) - beyond;
  const end = Math.ceil((scrolled + viewport) / itemSize) + beyond;
  return { from: Math.min(Math.max(0, first), items), to: Math.max(0, Math.min(items, end)) };
}
