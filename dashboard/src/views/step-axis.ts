/** What pictures over steps have in common: their sheet, and the steps below them. */

import { type Axis, xOf } from "../lib/axis";
import { formatCount } from "../lib/number";
import { ticks } from "../lib/ticks";
import { colour } from "./theme.svelte";

/** Where the cells of a picture lie, in pixels of the page. */
export interface Frame {
  left: number;
  top: number;
  plotWidth: number;
  plotHeight: number;
  /** Of all, with the steps. */
  height: number;
}

const EACH = 110;
const LEAST = 3;

/** The context of an emptied canvas, to be drawn on in pixels of the page. */
export function sheetOf(canvas: HTMLCanvasElement, height: number): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context?.scale(ratio, ratio);
  return context;
}

export function drawSteps(context: CanvasRenderingContext2D, frame: Frame, axis: Axis): void {
  const y = frame.top + frame.plotHeight;
  const right = frame.left + frame.plotWidth;
  context.font = `12px ${colour("mono")}`;
  context.fillStyle = colour("faint");
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const step of ticks(axis.from, axis.to, Math.max(LEAST, Math.floor(frame.plotWidth / EACH)))) {
    const x = frame.left + xOf(axis, step, frame.plotWidth);
    const text = formatCount(step);
    context.fillRect(Math.min(x, right - 1), y, 1, 4);
    context.fillText(text, Math.min(x, right - context.measureText(text).width / 2), y + 7);
  }
}

export function line(context: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
