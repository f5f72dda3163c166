/** The meters of neighbouring channels, as segments behind glass. */

import type { Parts } from "../../lib/meter";
import { begin, type Pen, type Size } from "./size";

const LAMP = 9;
const GAP = 4;
const SEGMENT = 5;
// A meter's own colours, in both themes: its well is dark in both.
const WELL = { dark: "#0a0b0d", light: "#22262c" };
const LIT = "#3cc4a4";
const OVER = "#ff6a2b";
const HELD = "#a8481f";
const BROKEN = "#8d1f56";
const LINE = "#f4f6f8";

export interface Meters {
  kind: "meters";
  size: Size;
  /** Of each meter its left side, and what it shows. */
  meters: readonly (readonly [left: number, parts: Parts])[];
  /** Of all meters. */
  width: number;
  ink: string;
  font: string;
  dark: boolean;
}

/** Draws meters that are as high as the sheet, their lamps with them. */
export function drawMeters(pen: Pen, drawing: Meters): void {
  begin(pen, drawing.size);
  for (const [left, parts] of drawing.meters) drawMeter(pen, drawing, left, parts);
}

function drawMeter(pen: Pen, { size: { height }, width, ink, font, dark }: Meters, left: number, parts: Parts): void {
  const well = dark ? WELL.dark : WELL.light;
  const top = LAMP + GAP;
  const tall = height - top;
  const y = (share: number): number => top + (1 - share) * tall;
  pen.fillStyle = { on: OVER, held: HELD, off: well }[parts.lamp];
  pen.fillRect(left, 0, width, LAMP);
  pen.fillStyle = parts.word === "" ? well : BROKEN;
  pen.fillRect(left, top, width, tall);
  const within = Math.min(parts.lit, parts.limit);
  pen.fillStyle = LIT;
  pen.fillRect(left + 3, y(within), width - 6, within * tall);
  if (parts.lit > within) {
    pen.fillStyle = OVER;
    pen.fillRect(left + 3, y(parts.lit), width - 6, (parts.lit - within) * tall);
  }
  // The gaps between the segments, over whatever is lit.
  pen.fillStyle = well;
  for (let gap = height - SEGMENT; gap > y(parts.lit); gap -= SEGMENT) pen.fillRect(left + 3, gap, width - 6, 1);
  pen.fillStyle = LINE;
  if (parts.peak !== null) pen.fillRect(left + 3, y(parts.peak) - 1, width - 6, 2);
  if (parts.headroom !== null) drawHeadroom(pen, left, width, y(parts.headroom), ink);
  if (parts.word !== "") {
    pen.font = font;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = "#ffffff";
    pen.fillText(parts.word, left + width / 2, top + tall / 2, width);
  }
}

/** Dashed within the well; beside it, where the desk may be light, in the desk's ink. */
function drawHeadroom(pen: Pen, left: number, width: number, y: number, ink: string): void {
  for (let x = left; x < left + width; x += 8) pen.fillRect(x, y - 1, Math.min(5, left + width - x), 2);
  pen.fillStyle = ink;
  pen.fillRect(left - 6, y - 1, 6, 2);
  pen.fillRect(left + width, y - 1, 6, 2);
}
