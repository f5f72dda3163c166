/** How the spread of pre-activations is drawn over steps, and where it is saturated. */

import type uPlot from "uplot";
import { BANDS, type Edges, MEDIAN, QUANTILES, type Reach, saturatedParts } from "../../lib/fan";
import { formatNumber } from "../../lib/number";
import { axis, drawMarks, stepAxis } from "../series-plot";
import { colour } from "../theme.svelte";

/** Room above and below what is drawn, which the curve beside it shares. */
export const TOP = 10;
export const BOTTOM = 36;
const SCALE = "z";
const AXIS_SIZE = 60;
const HATCH = 9;

/** The data are steps and the quantiles in their order; `reach` is asked whenever they change. */
export function fanOptions(edges: Edges, onsets: readonly number[], reach: () => Reach): uPlot.Options {
  const ink = colour("line-3");
  const series = QUANTILES.map((_, index): uPlot.Series => {
    const points = { show: ({ data }: uPlot) => data[0].length < 2, size: 5, fill: ink };
    return index === MEDIAN
      ? { scale: SCALE, stroke: ink, width: 2.5, points }
      : { scale: SCALE, stroke: `${ink}90`, width: 0.75, points };
  });
  return {
    width: 1,
    height: 1,
    padding: [TOP, 12, 0, 0],
    scales: {
      x: { time: false },
      [SCALE]: { range: () => [reach().low, reach().high] },
    },
    axes: [
      { ...stepAxis(), size: BOTTOM },
      { ...axis(), scale: SCALE, size: AXIS_SIZE, values: (_, ticks) => ticks.map((tick) => formatNumber(tick)) },
    ],
    series: [{}, ...series],
    // One over the other: the nearer to the median, the denser.
    bands: BANDS.map(([low, high]) => ({ series: [high + 1, low + 1], fill: `${ink}3a` })),
    hooks: {
      drawAxes: [(plot) => shade(plot, edges, reach())],
      draw: [(plot) => drawMarks(plot, { headroom: null, onsets })],
    },
  };
}

function shade(plot: uPlot, edges: Edges, reach: Reach): void {
  const { ctx: context, bbox } = plot;
  const ratio = window.devicePixelRatio;
  for (const [from, to] of saturatedParts(reach, edges)) {
    const top = plot.valToPos(to, SCALE, true);
    const bottom = plot.valToPos(from, SCALE, true);
    shadeSaturated(context, bbox.left, top, bbox.width, bottom - top, ratio);
    context.save();
    context.font = `${12 * ratio}px ${colour("mono")}`;
    context.fillStyle = colour("critical");
    context.textAlign = "left";
    // At the end that is away from the values that are fine.
    const low = to === edges.low;
    context.textBaseline = low ? "bottom" : "top";
    const margin = 5 * ratio;
    context.fillText("saturated", bbox.left + 8 * ratio, low ? bottom - margin : top + margin);
    context.restore();
  }
}

/** Ground and stripes, so that it is told from the fan also without its colour. */
export function shadeSaturated(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  ratio: number,
): void {
  const ink = colour("critical");
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = `${ink}1f`;
  context.fillRect(left, top, width, height);
  context.strokeStyle = `${ink}30`;
  context.lineWidth = ratio;
  context.beginPath();
  for (let x = left - height; x < left + width; x += HATCH * ratio) {
    context.moveTo(x, top);
    context.lineTo(x + height, top + height);
  }
  context.stroke();
  context.restore();
}
