/** How uPlot is to draw the statistics of a layer. */

import type uPlot from "uplot";
import { decades, isDecade, logTicks } from "../lib/decades";
import { formatCount } from "../lib/number";
import { formatStatistic, isMagnitude, isShare, lineColours } from "../lib/statistic";
import { colour } from "./theme.svelte";

export interface Mark {
  /** Level in dB at which the activation saturates. */
  headroom: number | null;
  /** Steps where findings on this layer began. */
  onsets: readonly number[];
  /** Steps where the run went on from, an earlier one than it had reached. */
  resumed?: readonly number[];
  /** What stands at them; in a small plot a sentence would hide the line. */
  word?: string;
}

type Line = readonly [id: string, unit: string];

/** How a line is drawn where its statistic does not tell it from the others. */
interface Drawn {
  colour: string;
  dash: readonly number[];
  alpha?: number;
}

function scaleName([id, unit]: Line): string {
  if (unit === "dB" || id.endsWith("_db")) return "dB";
  if (isShare(id)) return "share";
  return isMagnitude(id) ? "magnitude" : "value";
}

export function optionsOf(
  lines: readonly Line[],
  mark: Mark,
  banded: boolean,
  drawn?: readonly Drawn[],
): uPlot.Options {
  const scales = [...new Set(lines.map(scaleName))];
  const names = drawn?.map((line) => line.colour) ?? lineColours(lines.map(([id]) => id));
  const colours = names.map(colour);
  return {
    width: 1,
    height: 1,
    legend: { show: false },
    scales: {
      x: { time: false },
      share: { range: [0, 1] },
      // 0 has no place on it, and lies on the lower edge.
      magnitude: { distr: 3, range: (_, low, high) => decades(low, high), clamp: (_, value, low) => (value > 0 ? value : low) },
      dB: { range: (_, low, high) => levelRange(low, high, mark.headroom) },
    },
    axes: [stepAxis(), ...scales.map((scale, index) => valueAxis(scale, lines, index))],
    series: [
      {},
      ...lines.flatMap((line, index) =>
        seriesOf(line, colours[index]!, banded, drawn?.[index]),
      ),
    ],
    bands: banded ? colours.map(bandOf) : [],
    hooks: { draw: [(plot) => drawMarks(plot, mark)] },
  };
}

/** Room at both ends, below for the words at an onset, and the headroom in sight. */
export function levelRange(
  low: number | null,
  high: number | null,
  headroom: number | null,
): uPlot.Range.MinMax {
  const ends = [low, high, headroom].filter((end): end is number => end !== null);
  if (ends.length === 0) return [-10, 10];
  return [Math.min(...ends) - 10, Math.max(...ends) + 5];
}

export function axis(): uPlot.Axis {
  return {
    font: `12px ${colour("mono")}`,
    stroke: colour("faint"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 5 },
  };
}

export function stepAxis(): uPlot.Axis {
  // Steps are whole.
  const label = (tick: number): string => (Number.isInteger(tick) ? formatCount(tick) : "");
  return { ...axis(), size: 36, values: (_, ticks) => ticks.map(label) };
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
    grid: first ? gridOf(scale) : { show: false },
    ...(scale === "magnitude" ? { splits: (_: uPlot, __: number, low: number, high: number) => logTicks(low, high) } : {}),
    values: (_, ticks) => ticks.map((tick) => written(id, unit, tick)),
  };
}

function gridOf(scale: string): uPlot.Axis.Grid {
  const grid = { stroke: colour("line"), width: 1 };
  if (scale !== "magnitude") return grid;
  return { ...grid, filter: (_, ticks) => ticks.map((tick) => (isDecade(tick) ? tick : null)) };
}

/** Of a logarithmic axis most ticks have no words. */
function written(id: string, unit: string, tick: number | null): string {
  return tick === null ? "" : formatStatistic(id, unit, tick).replace(/\.0(?!\d)/, "");
}

/** The ends of the band, which are not drawn themselves, and the line. */
function seriesOf(
  line: Line,
  stroke: string,
  banded: boolean,
  { dash = [], alpha = 1 }: Partial<Drawn> = {},
): uPlot.Series[] {
  const scale = scaleName(line);
  const edge: uPlot.Series = { scale, show: banded, width: 0, points: { show: false } };
  // One sample is no line yet.
  const points = { show: ({ data }: uPlot) => data[0].length < 2, size: 7, fill: stroke };
  return [{ ...edge }, { ...edge }, { scale, stroke, width: 2, alpha, dash: [...dash], points }];
}

function bandOf(stroke: string, index: number): uPlot.Band {
  const high = 3 * index + 2;
  return { series: [high, high - 1], fill: `${stroke}30` };
}

export function drawMarks(plot: uPlot, { headroom, onsets, resumed = [], word = "▲ finding" }: Mark): void {
  const { ctx: context, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const right = bbox.left + bbox.width;
  context.save();
  context.lineWidth = 1.5 * ratio;
  context.font = `${12 * ratio}px ${colour("mono")}`;
  context.textBaseline = "middle";
  if (headroom !== null && plot.scales["dB"] !== undefined) {
    const y = plot.valToPos(headroom, "dB", true);
    context.strokeStyle = colour("ink");
    context.setLineDash([6 * ratio, 5 * ratio]);
    stroke(context, bbox.left, y, right, y);
    context.setLineDash([]);
    tag(context, "headroom", "ink", right - 8 * ratio, y, "right");
  }
  // At the bottom, away from the levels that run high just when there is a finding.
  drawSteps(plot, onsets, { word, ink: "critical", above: 12 });
  drawSteps(plot, resumed, { word: "↩", ink: "soft", above: 30 });
  context.restore();
}

/** @param above How far above the lower edge the word stands, in pixels. */
function drawSteps(
  plot: uPlot,
  steps: readonly number[],
  { word, ink, above }: { word: string; ink: string; above: number },
): void {
  const { ctx: context, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  let free = -Infinity;
  context.strokeStyle = colour(ink);
  for (const step of [...steps].sort((left, right) => left - right)) {
    const x = plot.valToPos(step, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    stroke(context, x, bbox.top, x, bottom);
    // Where many began soon after one another, it stands at the first.
    if (x < free) continue;
    tag(context, word, ink, x + 8 * ratio, bottom - above * ratio, "left");
    free = x + 16 * ratio + context.measureText(word).width;
  }
}

/** Words on the desk's own ground, so that no line runs through them. */
export function tag(
  context: CanvasRenderingContext2D,
  text: string,
  ink: string,
  x: number,
  y: number,
  align: "left" | "right",
): void {
  const margin = 4 * window.devicePixelRatio;
  const width = context.measureText(text).width;
  const left = align === "left" ? x : x - width;
  context.fillStyle = colour("panel");
  context.fillRect(left - margin, y - 2 * margin, width + 2 * margin, 4 * margin);
  context.textAlign = "left";
  context.fillStyle = colour(ink);
  context.fillText(text, left, y);
}

function stroke(
  context: CanvasRenderingContext2D,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
