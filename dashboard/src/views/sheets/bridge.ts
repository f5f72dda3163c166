/** All channels at once as thin meters, and a mark over the one that is chosen. */

import { bridge } from "../../lib/bridge";
import { pixel } from "../../lib/colormap";
import type { Reading } from "../../lib/meter";
import { clear, type Pen, type Size } from "./size";

export interface Bridge {
  kind: "bridge";
  size: Size;
  /** Of each channel; NaN where there is none. */
  levels: Float32Array;
  headrooms: Float32Array;
  /** 1 for each channel that is. */
  broken: Uint8Array;
  selected: number;
  mark: string;
}

// The meters' colours are those of the strips below, in both themes.
const INKS = { lit: pixel([0x3c, 0xc4, 0xa4]), over: pixel([0xff, 0x6a, 0x2b]), broken: pixel([0xff, 0x4f, 0x9a]) };
const MARK = { width: 2, height: 3 };

/** What a bridge shows of so many channels. */
export function heightsOf(count: number, read: (channel: number) => Reading): Pick<Bridge, "levels" | "headrooms" | "broken"> {
  const [levels, headrooms, broken] = [new Float32Array(count), new Float32Array(count), new Uint8Array(count)];
  for (let channel = 0; channel < count; channel++) {
    const reading = read(channel);
    levels[channel] = reading.level ?? NaN;
    headrooms[channel] = reading.headroom ?? NaN;
    broken[channel] = Number(reading.broken);
  }
  return { levels, headrooms, broken };
}

export function drawBridge(pen: Pen, { size, levels, headrooms, broken, selected, mark }: Bridge): void {
  const [width, height] = [Math.round(size.width * size.ratio), Math.round(size.height * size.ratio)];
  clear(pen, width, height);
  const known = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const read = (channel: number) => ({
    level: known(levels[channel]!),
    headroom: known(headrooms[channel]!),
    broken: broken[channel] === 1,
  });
  const pixels = bridge(levels.length, read, INKS, width, height);
  pen.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  pen.fillStyle = mark;
  const x = (selected / levels.length) * width;
  pen.fillRect(x, 0, Math.max(width / levels.length, MARK.width * size.ratio), MARK.height * size.ratio);
}
