/** The heatmap's colours: viridis, whose lightness rises evenly, also for the colour-blind. */

// Ten of viridis's 256 colours; between them it is close to straight.
const ANCHORS = [
  0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b,
  0xfde725,
] as const;

export const COLOURS = 256;

/** What is not finite has a colour that viridis has not. */
export const NON_FINITE_COLOUR: readonly [number, number, number] = [0xff, 0x4f, 0x9a];

function channel(colour: number, shift: number): number {
  return (colour >> shift) & 0xff;
}

export function viridis(place: number): [number, number, number] {
  const at = Math.min(Math.max(place, 0), 1) * (ANCHORS.length - 1);
  const below = Math.min(Math.floor(at), ANCHORS.length - 2);
  const share = at - below;
  const [from, to] = [ANCHORS[below]!, ANCHORS[below + 1]!];
  return [16, 8, 0].map((shift) =>
    Math.round(channel(from, shift) * (1 - share) + channel(to, shift) * share),
  ) as [number, number, number];
}

/** A pixel as `ImageData` holds it on a little-endian machine: alpha, blue, green, red. */
export function pixel([red, green, blue]: readonly [number, number, number]): number {
  return ((0xff << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

export const PIXELS = Uint32Array.from({ length: COLOURS }, (_, index) =>
  pixel(viridis(index / (COLOURS - 1))),
);
