/** Draws a unit map: cells, units, steps, where findings began, and where the reader points. */

import { type Axis, xOf } from "../../lib/axis";
import type { Raster } from "../../lib/raster";
import type { Rollup } from "../../lib/rollup";
import type { Scale } from "../../lib/scale";
import { drawSteps, type Frame, line, sheetOf } from "../step-axis";
import { colour } from "../theme.svelte";

const ROW_HEIGHT = 12;
const [LEAST_HEIGHT, MOST_HEIGHT] = [72, 420];
const AXIS_HEIGHT = 26;
const TOP = 8;
// As wide as the axes of the plots above, so that one step lies below the other.
const LEFT = 74;
const RIGHT = 12;
const LEAST_NAMED_ROW = 14;

export interface UnitsDrawn {
  history: Rollup;
  scale: Scale;
  axis: Axis;
  /** The name of a lane, short. */
  label: (lane: number) => string;
  onsets: readonly number[];
  /** null: only the step is pointed at, elsewhere. */
  lane: number | null;
  step: number | null;
}

export function unitLayout(width: number, groups: number): Frame {
  const plotHeight = Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, groups * ROW_HEIGHT));
  return {
    left: LEFT,
    top: TOP,
    plotWidth: Math.max(1, width - LEFT - RIGHT),
    plotHeight,
    height: TOP + plotHeight + AXIS_HEIGHT,
  };
}

export function drawUnits(canvas: HTMLCanvasElement, layout: Frame, raster: Raster, drawn: UnitsDrawn): void {
  const { history, scale, axis } = drawn;
  const context = sheetOf(canvas, layout.height);
  if (context === null) return;
  const ratio = window.devicePixelRatio;
  const [width, height] = [layout.plotWidth, layout.plotHeight].map((size) => Math.round(size * ratio)) as [number, number];
  raster.paint(history, { field: "last", scale, axis, lanes: [0, history.lanes], width, height, gap: 0 });
  const image = new ImageData(new Uint8ClampedArray(raster.pixels.buffer), width, height);
  context.putImageData(image, Math.round(layout.left * ratio), Math.round(layout.top * ratio));
  drawLabels(context, layout, drawn);
  drawSteps(context, layout, axis);
  drawOnsets(context, layout, drawn);
  drawCursor(context, layout, drawn);
}

/** Every unit where there is room, else a few. */
function drawLabels(context: CanvasRenderingContext2D, layout: Frame, { history, label }: UnitsDrawn): void {
  const rowHeight = layout.plotHeight / history.lanes;
  const every = Math.ceil(LEAST_NAMED_ROW / rowHeight);
  context.font = `12px ${colour("mono")}`;
  context.fillStyle = colour("faint");
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let lane = 0; lane < history.lanes; lane += every) {
    context.fillText(label(lane), layout.left - 8, layout.top + (lane + 0.5) * rowHeight, layout.left - 12);
  }
}

function drawOnsets(context: CanvasRenderingContext2D, layout: Frame, { axis, onsets }: UnitsDrawn): void {
  for (const step of onsets) {
    upright(context, layout, axis, step, "#000000b0", 3);
    upright(context, layout, axis, step, "#ffffff", 1.5);
  }
}

function upright(
  context: CanvasRenderingContext2D,
  layout: Frame,
  axis: Axis,
  step: number,
  ink: string,
  width: number,
): void {
  const x = layout.left + xOf(axis, step, layout.plotWidth);
  if (x < layout.left || x > layout.left + layout.plotWidth) return;
  context.lineWidth = width;
  context.strokeStyle = ink;
  line(context, x, layout.top, x, layout.top + layout.plotHeight);
}

function drawCursor(context: CanvasRenderingContext2D, layout: Frame, { history, axis, lane, step }: UnitsDrawn): void {
  if (step === null) return;
  upright(context, layout, axis, step, "#00000080", 2.5);
  context.setLineDash([4, 4]);
  upright(context, layout, axis, step, "#ffffff", 1);
  context.setLineDash([]);
  if (lane === null) return;
  const rowHeight = layout.plotHeight / history.lanes;
  const half = Math.max(rowHeight / 2, 3);
  const middle = layout.top + (lane + 0.5) * rowHeight;
  const x = layout.left + xOf(axis, step, layout.plotWidth);
  for (const [ink, width] of [["#000000", 4], ["#ffffff", 2]] as const) {
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.strokeRect(x - 4, middle - half, 8, 2 * half);
  }
}
