/** How uPlot is to draw the statistics of a layer. */

import type uPlot from "uplot";
import { formatCount } from "../lib/number";
import { formatStatistic, isShare } from "../lib/statistic";
import { colour } from "./theme.svelte";

/** Names of the style sheet's colours, in the order in which lines take them. */
export const LINE_COLOURS = [
  "--line-1",
  "--line-2",
  "--line-3",
  "--line-4",
  "--line-5",
  "--line-6",
  "--line-7",
] as const;

export interface Mark {
  /** Level in dB at which the activation saturates. */
  headroom: number | null;
  /** Steps where findings on this layer began. */
  onsets: readonly number[];
}

type Line = readonly [id: string, unit: string];

function scaleName([id, unit]: Line): string {
  if (unit === "dB" || id.endsWith("_db")) return "dB";
  return isShare(id) ? "share" : "value";
}

export function optionsOf(
  lines: readonly Line[],
  mark: Mark,
  banded: boolean,
  point: (column: number | null) => void,
): uPlot.Options {
  const scales = [...new Set(lines.map(scaleName))];
  return {
    width: 1,
    height: 1,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
    scales: {
      x: { time: false },
      share: { range: [0, 1] },
      dB: { range: (_, low, high) => levelRange(low, high, mark.headroom) },
    },
    axes: [stepAxis(), ...scales.map((scale, index) => valueAxis(scale, lines, index))],
    series: [{}, ...lines.flatMap((line, index) => seriesOf(line, index, banded))],
    bands: banded ? lines.map((line, index) => bandOf(line, index)) : [],
    hooks: {
      draw: [(plot) => drawMarks(plot, mark)],
      setCursor: [(plot) => point(plot.cursor.idx ?? null)],
    },
  };
}

/** Room of 5 dB at both ends, with the headroom in sight. */
function levelRange(low: number | null, high: number | null, headroom: number | null): uPlot.Range.MinMax {
  const ends = [low, high, headroom].filter((end): end is number => end !== null);
  if (ends.length === 0) return [-10, 10];
  return [Math.min(...ends) - 5, Math.max(...ends) + 5];
}

function axis(): uPlot.Axis {
  return {
    font: `12px ${colour("mono")}`,
    stroke: colour("faint"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 5 },
  };
}

function stepAxis(): uPlot.Axis {
  return { ...axis(), size: 36, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? formatCount(tick) : "")) };
}

function valueAxis(scale: string, lines: readonly Line[], index: number): uPlot.Axis {
  const [id, unit] = lines.find((line) => scaleName(line) === scale) ?? ["", ""];
  const first = index === 0;
  return {
    ...axis(),
    scale,
    side: first ? 3 : 1,
    size: 74,
    // Two grids over one another could not be read.
    grid: first ? { stroke: colour("line"), width: 1 } : { show: false },
    values: (_, ticks) => ticks.map((tick) => formatStatistic(id, unit, tick)),
  };
}

function seriesOf(line: Line, index: number, banded: boolean): uPlot.Series[] {
  const stroke = colour(LINE_COLOURS[index % LINE_COLOURS.length]!.slice(2));
  const scale = scaleName(line);
  const edge: uPlot.Series = { scale, show: banded, width: 0, points: { show: false } };
  return [edge, edge, { scale, stroke, width: 2, points: { show: false } }].map((series) => ({ ...series }));
}

function bandOf(_: Line, index: number): uPlot.Band {
  const high = 3 * index + 2;
  return { series: [high, high - 1], fill: `${colour(LINE_COLOURS[index % LINE_COLOURS.length]!.slice(2))}30` };
}

function drawMarks(plot: uPlot, { headroom, onsets }: Mark): void {
  const { ctx: context, bbox } = plot;
  context.save();
  context.lineWidth = 1.5 * window.devicePixelRatio;
  context.strokeStyle = colour("ink");
  context.fillStyle = colour("ink");
  context.font = `${12 * window.devicePixelRatio}px ${colour("mono")}`;
  if (headroom !== null && plot.scales["dB"] !== undefined) {
    const y = plot.valToPos(headroom, "dB", true);
    context.setLineDash([6 * window.devicePixelRatio, 5 * window.devicePixelRatio]);
    stroke(context, bbox.left, y, bbox.left + bbox.width, y);
    context.textAlign = "right";
    context.fillText("headroom", bbox.left + bbox.width - 6, y - 6);
  }
  context.setLineDash([]);
  context.strokeStyle = colour("critical");
  context.fillStyle = colour("critical");
  context.textAlign = "left";
  for (const step of onsets) {
    const x = plot.valToPos(step, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    stroke(context, x, bbox.top, x, bbox.top + bbox.height);
    context.fillText("▼ finding", x + 6, bbox.top + 14 * window.devicePixelRatio);
  }
  context.restore();
}

function stroke(context: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
