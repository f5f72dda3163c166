/** How the terms of a level are drawn: ribbons from one sum to the next, and the level on top. */

import type uPlot from "uplot";
import type { Term } from "../../lib/growth";
import { formatDb } from "../../lib/number";
import { type Line, stretches } from "../../lib/ribbon";
import { axis, drawMarks, levelRange, type Mark, stepAxis } from "../series-plot";
import { colour } from "../theme.svelte";

const SCALE = "dB";
const AXIS_SIZE = 74;
const HATCH = 7;

/** The data are steps, the sum after each term, and the level. */
export function termsOptions(terms: readonly Term[], mark: Mark): uPlot.Options {
  const edges = terms.map(({ part }) => line(colour(part), 1.25));
  return {
    width: 1,
    height: 1,
    padding: [10, 12, 0, 0],
    scales: {
      x: { time: false },
      // The first ribbon begins at 0 dB.
      [SCALE]: { range: (_, low, high) => levelRange(Math.min(low ?? 0, 0), Math.max(high ?? 0, 0), mark.headroom) },
    },
    axes: [
      stepAxis(),
      {
        ...axis(),
        scale: SCALE,
        size: AXIS_SIZE,
        values: (_, ticks) => ticks.map((tick) => formatDb(tick).replace(/\.0(?!\d)/, "")),
      },
    ],
    series: [{}, ...edges, line(colour("line-3"), 2.5)],
    hooks: {
      drawAxes: [(plot) => drawRibbons(plot, terms)],
      draw: [(plot) => drawMarks(plot, mark)],
    },
  };
}

function line(stroke: string, width: number): uPlot.Series {
  // One sample is no line yet.
  const points = { show: ({ data }: uPlot) => data[0].length < 2, size: 7, fill: stroke };
  return { scale: SCALE, stroke, width, points };
}

function drawRibbons(plot: uPlot, terms: readonly Term[]): void {
  const { ctx: context, bbox } = plot;
  context.save();
  context.beginPath();
  context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  context.clip();
  terms.forEach(({ part }, index) => {
    const ink = colour(part);
    const hatch = hatched(context, ink);
    const below = index === 0 ? null : plot.data[index]!;
    const above = plot.data[index + 1]!;
    for (const { from, to, rising } of stretches(below, above)) {
      trace(plot, below, above, from, to);
      context.fillStyle = `${ink}${rising ? "66" : "1c"}`;
      context.fill();
      if (rising) continue;
      context.fillStyle = hatch;
      context.fill();
    }
  });
  context.restore();
}

function trace(plot: uPlot, below: Line | null, above: Line, from: number, to: number): void {
  const { ctx: context } = plot;
  const point = (line: Line | null, column: number): void => {
    const level = line === null ? 0 : line[column]!;
    context.lineTo(plot.valToPos(plot.data[0][column]!, "x", true), plot.valToPos(level, SCALE, true));
  };
  context.beginPath();
  for (let column = from; column <= to; column++) point(above, column);
  for (let column = to; column >= from; column--) point(below, column);
  context.closePath();
}

/** Stripes: a term that takes level away lies over one that raised it, and both stay visible. */
function hatched(context: CanvasRenderingContext2D, ink: string): CanvasPattern | string {
  const size = Math.round(HATCH * window.devicePixelRatio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const drawing = tile.getContext("2d");
  if (drawing === null) return ink;
  drawing.strokeStyle = ink;
  drawing.lineWidth = 1.5 * window.devicePixelRatio;
  drawing.beginPath();
  for (const shift of [-size, 0, size]) {
    drawing.moveTo(shift, size);
    drawing.lineTo(shift + size, 0);
  }
  drawing.stroke();
  return context.createPattern(tile, "repeat") ?? ink;
}
