/** The meter bridge: all channels as meters of a pixel or more, painted at once. */

import { height as heightOf, type Reading } from "./meter";

/** What it shows of a channel. */
export type Height = Pick<Reading, "level" | "headroom" | "broken">;

/** Pixels as `pixel` of colormap.ts makes them. */
export interface Inks {
  lit: number;
  over: number;
  broken: number;
}

/** The channels that a pixel column shows, the first and the one after the last. */
export function channelsAt(x: number, width: number, count: number): [number, number] {
  const first = Math.floor((x * count) / width);
  return [first, Math.max(first + 1, Math.floor(((x + 1) * count) / width))];
}

/**
 * [height, width] pixels, 0 where nothing is lit. Where channels are more than pixels, a pixel
 * shows the one that is furthest over its headroom, and what is broken before all others.
 */
export function bridge(
  count: number,
  read: (channel: number) => Height,
  inks: Inks,
  width: number,
  height: number,
): Uint32Array<ArrayBuffer> {
  const pixels = new Uint32Array(width * height);
  for (let x = 0; x < width && count > 0; x++) {
    const [first, end] = channelsAt(x, width, count);
    let worst = read(first);
    for (let channel = first + 1; channel < end; channel++) {
      const other = read(channel);
      if (isWorse(other, worst)) worst = other;
    }
    paint(pixels, worst, inks, x, width, height);
  }
  return pixels;
}

function isWorse(one: Height, other: Height): boolean {
  if (one.broken !== other.broken) return one.broken;
  const over = excess(one) - excess(other);
  return over > 0 || (over === 0 && (one.level ?? -Infinity) > (other.level ?? -Infinity));
}

function excess({ level, headroom }: Height): number {
  return level === null || headroom === null ? 0 : Math.max(0, level - headroom);
}

function paint(
  pixels: Uint32Array,
  { level, headroom, broken }: Height,
  inks: Inks,
  x: number,
  width: number,
  height: number,
): void {
  const lit = broken ? height : Math.round(heightOf(level) * height);
  const limit = headroom === null ? height : Math.round(heightOf(headroom) * height);
  for (let above = 0; above < lit; above++) {
    const ink = broken ? inks.broken : above < limit ? inks.lit : inks.over;
    pixels[(height - 1 - above) * width + x] = ink;
  }
}
