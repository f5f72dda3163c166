/** Draws the meters of neighbouring channels on one canvas, as segments behind glass. */

import { type Parts } from "../lib/meter";
import { colour } from "./theme.svelte";

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

export interface Place {
  left: number;
  width: number;
}

/** @param height Of a meter with its lamp, from the canvas's top. */
export function drawMeters(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  meters: Iterable<readonly [Place, Parts]>,
): void {
  const ratio = window.devicePixelRatio;
  const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  if (canvas.width !== size.width) canvas.width = size.width;
  if (canvas.height !== size.height) canvas.height = size.height;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  for (const [place, parts] of meters) drawMeter(context, place, height, parts, dark ? WELL.dark : WELL.light);
}

function drawMeter(context: CanvasRenderingContext2D, { left, width }: Place, height: number, parts: Parts, well: string): void {
  const top = LAMP + GAP;
  const tall = height - top;
  const y = (share: number): number => top + (1 - share) * tall;
  context.fillStyle = { on: OVER, held: HELD, off: well }[parts.lamp];
  context.fillRect(left, 0, width, LAMP);
  context.fillStyle = parts.word === "" ? well : BROKEN;
  context.fillRect(left, top, width, tall);
  const within = Math.min(parts.lit, parts.limit);
  context.fillStyle = LIT;
  context.fillRect(left + 3, y(within), width - 6, within * tall);
  if (parts.lit > within) {
    context.fillStyle = OVER;
    context.fillRect(left + 3, y(parts.lit), width - 6, (parts.lit - within) * tall);
  }
  // The gaps between the segments, over whatever is lit.
  context.fillStyle = well;
  for (let gap = height - SEGMENT; gap > y(parts.lit); gap -= SEGMENT) context.fillRect(left + 3, gap, width - 6, 1);
  context.fillStyle = LINE;
  if (parts.peak !== null) context.fillRect(left + 3, y(parts.peak) - 1, width - 6, 2);
  if (parts.headroom !== null) drawHeadroom(context, left, width, y(parts.headroom));
  if (parts.word !== "") {
    context.font = `11px ${colour("mono")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = "#ffffff";
    context.fillText(parts.word, left + width / 2, top + tall / 2, width);
  }
}

/** Dashed within the well; beside it, where the desk may be light, in the desk's ink. */
function drawHeadroom(context: CanvasRenderingContext2D, left: number, width: number, y: number): void {
  for (let x = left; x < left + width; x += 8) context.fillRect(x, y - 1, Math.min(5, left + width - x), 2);
  context.fillStyle = colour("ink");
  context.fillRect(left - 6, y - 1, 6, 2);
  context.fillRect(left + width, y - 1, 6, 2);
}
