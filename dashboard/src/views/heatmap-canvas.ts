/** Draws the heatmap: cells, names, steps, and where findings began. */

import { isOpen } from "../lib/finding";
import { formatCount } from "../lib/number";
import { raster, xOf } from "../lib/raster";
import type { Field, Rollup } from "../lib/rollup";
import type { RunState } from "../lib/run-state";
import type { Scale } from "../lib/scale";
import { ticks } from "../lib/ticks";
import { colour } from "./theme.svelte";

const ROW_HEIGHT = 24;
const HIGHEST_PLOT = 620;
const LEAST_NAMED_ROW = 11;
const AXIS_HEIGHT = 24;
const MARKER = 5;
// Of a fixed-width face at 12 px, with a little to spare.
const CHARACTER = 7.4;
const WIDEST_NAMES = 190;

export interface Layout {
  left: number;
  top: number;
  plotWidth: number;
  plotHeight: number;
  height: number;
  rowHeight: number;
  /** The middle of a cell, in pixels from the canvas's corner. */
  placeOf: (heat: Rollup, lane: number, column: number) => { x: number; y: number };
}

export interface Drawn {
  field: Field;
  scale: Scale;
  selected: number;
  cursor: { lane: number; column: number } | null;
}

export function layoutOf(width: number, names: readonly string[]): Layout {
  const lanes = names.length;
  const plotHeight = Math.min(HIGHEST_PLOT, Math.max(1, lanes) * ROW_HEIGHT);
  const rowHeight = plotHeight / Math.max(1, lanes);
  const longest = names.reduce((most, { length }) => Math.max(most, length), 0);
  const named = Math.min(WIDEST_NAMES, width * 0.3, longest * CHARACTER + 16);
  const left = rowHeight < LEAST_NAMED_ROW ? 8 : named;
  const top = MARKER + 1;
  const plotWidth = Math.max(1, width - left - 8);
  return {
    left,
    top,
    plotWidth,
    plotHeight,
    height: top + plotHeight + AXIS_HEIGHT,
    rowHeight,
    placeOf: (heat, lane, column) => ({
      x: left + xOf(heat, heat.steps[column] ?? 0, plotWidth),
      y: top + (lane + 0.5) * rowHeight,
    }),
  };
}

export function drawHeatmap(
  canvas: HTMLCanvasElement,
  layout: Layout,
  run: RunState,
  heat: Rollup,
  drawn: Drawn,
): void {
  const ratio = window.devicePixelRatio;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(layout.height * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  drawCells(context, layout, heat, drawn, ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawAbsent(context, layout, heat);
  drawNames(context, layout, run, drawn.selected);
  drawSteps(context, layout, heat);
  drawOnsets(context, layout, run, heat);
  outline(context, layout, heat, drawn);
}

function drawCells(
  context: CanvasRenderingContext2D,
  layout: Layout,
  heat: Rollup,
  { field, scale }: Drawn,
  ratio: number,
): void {
  const [x, y] = [Math.round(layout.left * ratio), Math.round(layout.top * ratio)];
  const width = Math.round(layout.plotWidth * ratio);
  const height = Math.round(layout.plotHeight * ratio);
  const pixels = raster(heat, field, scale, width, height);
  const bytes = new Uint8ClampedArray(pixels.buffer);
  context.putImageData(new ImageData(bytes, width, height), x, y);
  if (layout.rowHeight < LEAST_NAMED_ROW) return;
  // A thin gap tells neighbours of one colour apart.
  for (let lane = 1; lane < heat.lanes; lane++) {
    context.clearRect(x, Math.round(y + (lane * height) / heat.lanes) - 1, width, 1);
  }
}

/** A line through each layer that has no such statistic: it is not there, rather than 0. */
function drawAbsent(context: CanvasRenderingContext2D, layout: Layout, heat: Rollup): void {
  if (layout.rowHeight < LEAST_NAMED_ROW) return;
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.setLineDash([2, 4]);
  for (let lane = 0; lane < heat.lanes; lane++) {
    const begin = heat.cell(lane, 0);
    if (heat.kinds.subarray(begin, begin + heat.columns).some((kind) => kind !== 0)) continue;
    const y = layout.top + (lane + 0.5) * layout.rowHeight;
    context.beginPath();
    context.moveTo(layout.left, y);
    context.lineTo(layout.left + layout.plotWidth, y);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawNames(
  context: CanvasRenderingContext2D,
  layout: Layout,
  run: RunState,
  selected: number,
): void {
  if (layout.rowHeight < LEAST_NAMED_ROW) return;
  const family = colour("mono");
  context.textBaseline = "middle";
  context.textAlign = "right";
  run.desk.channels.forEach(({ path }, lane) => {
    context.font = `${lane === selected ? 700 : 400} 12px ${family}`;
    context.fillStyle = colour(lane === selected ? "ink" : "soft");
    const middle = layout.top + (lane + 0.5) * layout.rowHeight;
    context.fillText(shortened(context, path, layout.left - 14), layout.left - 8, middle);
  });
}

/** The end of a path tells layers apart; its beginning is what they share, and goes first. */
function shortened(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  const name = text.slice(text.lastIndexOf("/") + 1);
  if (name !== text && context.measureText(name).width <= width) return name;
  let from = 1;
  while (from < text.length && context.measureText(`…${text.slice(from)}`).width > width) from++;
  return `…${text.slice(from)}`;
}

function drawSteps(context: CanvasRenderingContext2D, layout: Layout, heat: Rollup): void {
  const first = heat.steps[0] ?? 0;
  const wanted = Math.max(3, Math.floor(layout.plotWidth / 110));
  const y = layout.top + layout.plotHeight;
  context.font = `12px ${colour("mono")}`;
  context.fillStyle = colour("faint");
  context.textBaseline = "top";
  context.textAlign = "center";
  const right = layout.left + layout.plotWidth;
  for (const step of ticks(first, heat.lastStep, wanted)) {
    const x = layout.left + xOf(heat, step, layout.plotWidth);
    const text = formatCount(step);
    const half = context.measureText(text).width / 2;
    context.fillRect(Math.min(x, right - 1), y, 1, 4);
    context.fillText(text, Math.min(x, right - half), y + 7);
  }
}

/** A triangle and a line where a finding began; hollow where it is over. */
function drawOnsets(
  context: CanvasRenderingContext2D,
  layout: Layout,
  run: RunState,
  heat: Rollup,
): void {
  for (const finding of run.findings) {
    const lane = run.desk.find(finding.row);
    if (lane < 0) continue;
    const x = layout.left + xOf(heat, finding.since_step, layout.plotWidth);
    if (x < layout.left || x > layout.left + layout.plotWidth) continue;
    const top = layout.top + lane * layout.rowHeight;
    const bottom = top + Math.max(layout.rowHeight - 1, 3);
    context.lineWidth = 3;
    context.strokeStyle = "#000000b0";
    line(context, x, top, bottom);
    context.lineWidth = 1.5;
    context.strokeStyle = "#ffffff";
    line(context, x, top, bottom);
    context.beginPath();
    context.moveTo(x - MARKER, top - MARKER);
    context.lineTo(x + MARKER, top - MARKER);
    context.lineTo(x, top + MARKER - 1);
    context.closePath();
    context.fillStyle = isOpen(finding) ? colour("critical") : colour("panel");
    context.fill();
    context.stroke();
  }
}

function line(context: CanvasRenderingContext2D, x: number, top: number, bottom: number): void {
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.stroke();
}

function outline(
  context: CanvasRenderingContext2D,
  layout: Layout,
  heat: Rollup,
  { selected, cursor }: Drawn,
): void {
  context.lineWidth = 2;
  context.strokeStyle = colour("focus");
  const top = layout.top + selected * layout.rowHeight;
  context.strokeRect(layout.left - 3, top, 3, Math.max(layout.rowHeight - 1, 2));
  if (cursor === null) return;
  const { x, y } = layout.placeOf(heat, cursor.lane, cursor.column);
  const half = Math.max(layout.rowHeight / 2, 3);
  context.strokeStyle = "#ffffff";
  context.strokeRect(x - 3, y - half, 6, 2 * half);
}
