/** Which layers are shown of many, as the address has it: "200-259", both ends included. */

export type Lanes = readonly [first: number, end: number];

/** The first lane shown and the one after the last; all of them where the text names none. */
export function lanesOf(text: string | null, count: number): Lanes {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text ?? "") ?? [];
  const lanes: Lanes = [Number(first), Math.min(Number(last) + 1, count)];
  return lanes[0] < lanes[1] ? lanes : [0, count];
}

/** How the address names these lanes; null for all of them. */
export function lanesText([first, end]: Lanes, count: number): string | null {
  return first <= 0 && end >= count ? null : `${first}-${end - 1}`;
}

/** Lanes around `middle`, `factor` times as many as now, within what there is. */
export function lanesAround([first, end]: Lanes, middle: number, factor: number, count: number): Lanes {
  const wanted = Math.min(count, Math.max(1, Math.round((end - first) * factor)));
  const share = (middle - first) / Math.max(1, end - first);
  const begin = Math.min(Math.max(Math.round(middle - share * wanted), 0), count - wanted);
  return [begin, begin + wanted];
}
