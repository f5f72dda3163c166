import { expect, it } from "vitest";
import { COLOURS, NON_FINITE_COLOUR, pixel, PIXELS, viridis } from "./colormap";

/** Relative luminance, WCAG 2.2. */
function luminance(colour: readonly number[]): number {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

it("begins and ends as viridis does, and stays there", () => {
  expect([0, -1].map(viridis)).toEqual([[0x44, 0x01, 0x54], [0x44, 0x01, 0x54]]);
  expect([1, 2].map(viridis)).toEqual([[0xfd, 0xe7, 0x25], [0xfd, 0xe7, 0x25]]);
});

it("grows lighter all the way, so that it can be read without seeing colours", () => {
  const lightness = Array.from({ length: COLOURS }, (_, i) => luminance(viridis(i / (COLOURS - 1))));
  // But for what rounding to whole numbers takes away.
  for (let i = 1; i < COLOURS; i++) expect(lightness[i]!).toBeGreaterThan(lightness[i - 1]! - 1e-3);
  expect(lightness.at(-1)! - lightness[0]!).toBeGreaterThan(0.6);
});

it("packs a pixel as ImageData lays it out", () => {
  expect([...new Uint8Array(Uint32Array.of(pixel([1, 2, 3])).buffer)]).toEqual([1, 2, 3, 255]);
});

it("keeps a colour of its own for what is not finite", () => {
  expect([...PIXELS]).not.toContain(pixel(NON_FINITE_COLOUR));
});
