/** Draws an activation's curve on its side: z upwards, as in the fan beside it, and f(z) to the right. */

import { type Curve, heightsOf, stretch, valueOn } from "../../lib/curve";
import { BANDS, type Edges, MEDIAN, type Reach, saturatedParts } from "../../lib/fan";
import { formatNumber } from "../../lib/number";
import { colour } from "../theme.svelte";
import { BOTTOM, shadeSaturated, TOP } from "./fan-plot";

const SIDE = 10;

export interface Drawn {
  curve: Curve;
  edges: Edges;
  reach: Reach;
  /** The quantiles at the step that is read, in their order. */
  quantiles: readonly (number | null)[];
}

export function drawCurve(canvas: HTMLCanvasElement, width: number, height: number, drawn: Drawn): void {
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { reach, edges, quantiles } = drawn;
  const shown = stretch(drawn.curve, reach.low, reach.high);
  const heights = heightsOf(shown);
  const y = (z: number): number =>
    TOP + ((reach.high - z) / (reach.high - reach.low)) * (height - TOP - BOTTOM);
  const x = (f: number): number =>
    SIDE + ((f - heights.low) / (heights.high - heights.low)) * (width - 2 * SIDE);

  for (const [from, to] of saturatedParts(reach, edges)) {
    shadeSaturated(context, SIDE, y(to), width - 2 * SIDE, y(from) - y(to), 1);
  }
  frame(context, width, height);
  zero(context, x, y, reach, heights);
  const trace = ({ z, f }: Curve): void => {
    context.beginPath();
    z.forEach((at, index) => context.lineTo(x(f[index]!), y(at)));
    context.stroke();
  };
  context.lineJoin = "round";
  context.strokeStyle = colour("soft");
  context.lineWidth = 1.5;
  trace(shown);
  context.strokeStyle = `${colour("line-3")}70`;
  for (const [index, [low, high]] of BANDS.entries()) {
    const [from, to] = [quantiles[low], quantiles[high]];
    if (from == null || to == null) continue;
    context.lineWidth = 5 + 3 * index;
    trace(stretch(drawn.curve, from, to));
  }
  const median = quantiles[MEDIAN];
  if (median != null) mark(context, x(valueOn(drawn.curve, median)), y(median));
  words(context, shown, x, height);
}

function frame(context: CanvasRenderingContext2D, width: number, height: number): void {
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.strokeRect(SIDE, TOP, width - 2 * SIDE, height - TOP - BOTTOM);
}

/** Where z is 0, and where f is. */
function zero(
  context: CanvasRenderingContext2D,
  x: (f: number) => number,
  y: (z: number) => number,
  reach: Reach,
  heights: { low: number; high: number },
): void {
  context.strokeStyle = colour("edge");
  context.beginPath();
  if (reach.low < 0 && reach.high > 0) {
    context.moveTo(x(heights.low), y(0));
    context.lineTo(x(heights.high), y(0));
  }
  if (heights.low < 0 && heights.high > 0) {
    context.moveTo(x(0), y(reach.low));
    context.lineTo(x(0), y(reach.high));
  }
  context.stroke();
}

function mark(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.beginPath();
  context.arc(x, y, 5.5, 0, 2 * Math.PI);
  context.fillStyle = colour("line-3");
  context.strokeStyle = colour("panel");
  context.lineWidth = 2;
  context.fill();
  context.stroke();
}

/** The ends of f(z), under them. */
function words(context: CanvasRenderingContext2D, { f }: Curve, x: (f: number) => number, height: number): void {
  const [low, high] = [Math.min(...f), Math.max(...f)];
  context.font = `12px ${colour("mono")}`;
  context.fillStyle = colour("faint");
  context.textBaseline = "top";
  context.textAlign = "left";
  // A bound that is reached but for a hair is the bound.
  const near = 0.01 * (high - low);
  const written = (end: number): string => {
    const whole = Math.round(end);
    return formatNumber(Math.abs(end - whole) < near ? whole : end);
  };
  context.fillText(written(low), Math.max(SIDE, x(low) - 4), height - BOTTOM + 8);
  if (high - low < 1e-9) return;
  context.textAlign = "right";
  context.fillText(written(high), x(high) + 6, height - BOTTOM + 8);
}
