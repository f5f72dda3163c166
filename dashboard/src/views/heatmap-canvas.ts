/** Draws what stands around and over the cells of a heatmap: names, steps and onsets. */

import { type Axis, xOf } from "../lib/axis";
import { isOpen } from "../lib/finding";
import type { Lanes } from "../lib/lanes";
import type { Rollup } from "../lib/rollup";
import type { RunState } from "../lib/run-state";
import { drawSteps, type Frame, line, sheetOf } from "./step-axis";
import { colour } from "./theme.svelte";

const ROW_HEIGHT = 24;
const HIGHEST_PLOT = 620;
const LEAST_NAMED_ROW = 11;
const AXIS_HEIGHT = 24;
const MARKER = 5;
// Of a fixed-width face at 12 px, with a little to spare.
const CHARACTER = 7.4;
const WIDEST_NAMES = 190;

export interface Layout extends Frame {
  rowHeight: number;
  lanes: Lanes;
  /** Whether rows are high enough for their layers' names. */
  named: boolean;
}

export function layoutOf(width: number, names: readonly string[], lanes: Lanes): Layout {
  const shown = Math.max(1, lanes[1] - lanes[0]);
  const plotHeight = Math.min(HIGHEST_PLOT, shown * ROW_HEIGHT);
  const rowHeight = plotHeight / shown;
  const named = rowHeight >= LEAST_NAMED_ROW;
  let longest = 0;
  for (let lane = lanes[0]; lane < lanes[1]; lane++) longest = Math.max(longest, names[lane]?.length ?? 0);
  const left = named ? Math.min(WIDEST_NAMES, width * 0.3, longest * CHARACTER + 16) : 8;
  const top = MARKER + 1;
  const plotWidth = Math.max(1, Math.floor(width - left - 8));
  return { left, top, plotWidth, plotHeight, height: top + plotHeight + AXIS_HEIGHT, rowHeight, lanes, named };
}

/** The middle of a lane, in pixels from the top. */
export function middleOf(layout: Layout, lane: number): number {
  return layout.top + (lane - layout.lanes[0] + 0.5) * layout.rowHeight;
}

/** Draws all but the cells. */
export function drawFrame(
  canvas: HTMLCanvasElement,
  layout: Layout,
  run: RunState,
  heat: Rollup,
  axis: Axis,
  selected: number,
): void {
  const context = sheetOf(canvas, layout.height);
  if (context === null) return;
  if (layout.named) {
    drawAbsent(context, layout, heat);
    drawNames(context, layout, run, selected);
  }
  drawSteps(context, layout, axis);
  drawOnsets(context, layout, run, axis);
  outline(context, layout, selected);
}

/** A line through each layer that has no such statistic: it is not there, rather than 0. */
function drawAbsent(context: CanvasRenderingContext2D, layout: Layout, heat: Rollup): void {
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.setLineDash([2, 4]);
  for (let lane = layout.lanes[0]; lane < layout.lanes[1]; lane++) {
    const begin = heat.cell(lane, 0);
    if (heat.kinds.subarray(begin, begin + heat.columns).some((kind) => kind !== 0)) continue;
    const y = middleOf(layout, lane);
    line(context, layout.left, y, layout.left + layout.plotWidth, y);
  }
  context.setLineDash([]);
}

function drawNames(context: CanvasRenderingContext2D, layout: Layout, run: RunState, selected: number): void {
  const family = colour("mono");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (let lane = layout.lanes[0]; lane < layout.lanes[1]; lane++) {
    context.font = `${lane === selected ? 700 : 400} 12px ${family}`;
    context.fillStyle = colour(lane === selected ? "ink" : "soft");
    const path = run.desk.channels[lane]?.path ?? "";
    context.fillText(shortened(context, path, layout.left - 14), layout.left - 8, middleOf(layout, lane));
  }
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

/** A triangle and a line where a finding began; hollow where it is over. */
function drawOnsets(context: CanvasRenderingContext2D, layout: Layout, run: RunState, axis: Axis): void {
  for (const finding of run.findings) {
    const lane = run.desk.find(finding.row);
    const outside = finding.since_step < axis.from || finding.since_step > axis.to;
    if (lane < layout.lanes[0] || lane >= layout.lanes[1] || outside) continue;
    const x = layout.left + xOf(axis, finding.since_step, layout.plotWidth);
    const top = middleOf(layout, lane) - layout.rowHeight / 2;
    const bottom = top + Math.max(layout.rowHeight - 1, 3);
    context.lineWidth = 3;
    context.strokeStyle = "#000000b0";
    line(context, x, top, x, bottom);
    context.lineWidth = 1.5;
    context.strokeStyle = "#ffffff";
    line(context, x, top, x, bottom);
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

function outline(context: CanvasRenderingContext2D, layout: Layout, selected: number): void {
  if (selected < layout.lanes[0] || selected >= layout.lanes[1]) return;
  context.lineWidth = 2;
  context.strokeStyle = colour("focus");
  const top = middleOf(layout, selected) - layout.rowHeight / 2;
  context.strokeRect(layout.left - 3, top, 3, Math.max(layout.rowHeight - 1, 2));
}
