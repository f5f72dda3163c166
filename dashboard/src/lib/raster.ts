/** Paints a history into pixels: lanes from top to bottom, steps from left to right. */

import { COLOURS, NON_FINITE_COLOUR, pixel, PIXELS } from "./colormap";
import { FINITE, NON_FINITE, SILENT, type Field, type Rollup } from "./rollup";
import type { Scale } from "./scale";

const NON_FINITE_PIXEL = pixel(NON_FINITE_COLOUR);

/** For each pixel the columns that it shows, `from` included and `to` not. */
export interface Columns {
  from: Int32Array;
  to: Int32Array;
}

/** The step in the middle of a pixel's column. */
export function stepAt(rollup: Rollup, x: number, width: number): number {
  const first = rollup.steps[0] ?? 0;
  return first + ((x + 0.5) / width) * (rollup.lastStep - first);
}

/** Where a step lies, in pixels from the left. */
export function xOf(rollup: Rollup, step: number, width: number): number {
  const first = rollup.steps[0] ?? 0;
  const span = rollup.lastStep - first;
  return span <= 0 ? width / 2 : ((step - first) / span) * width;
}

/** The column whose step lies nearest to `step`. */
export function nearestColumn(rollup: Rollup, step: number): number {
  let [low, high] = [0, rollup.columns - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rollup.steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && step - rollup.steps[low - 1]! < rollup.steps[low]! - step) return low - 1;
  return low;
}

/** Every column falls into a pixel, so that no spike is lost where pixels are few. */
export function columnsOf(rollup: Rollup, width: number): Columns {
  const from = new Int32Array(width);
  const to = new Int32Array(width);
  const last = rollup.columns - 1;
  for (let x = 0; x < width; x++) {
    from[x] = nearestColumn(rollup, stepAt(rollup, x - 0.5, width));
    to[x] = nearestColumn(rollup, stepAt(rollup, x + 0.5, width));
    if (to[x] === from[x] || x === width - 1) to[x]! += 1;
  }
  if (width > 0) to[width - 1] = last + 1;
  return { from, to };
}

/** The lanes of a band, where there are more lanes than pixels. */
export function lanesOfBand(band: number, bands: number, lanes: number): [number, number] {
  return [Math.floor((band * lanes) / bands), Math.floor(((band + 1) * lanes) / bands)];
}

/** The colour of the cells of a few lanes and columns: the most extreme one counts. */
function colourOf(
  rollup: Rollup,
  field: Field,
  scale: Scale,
  [firstLane, endLane]: [number, number],
  firstColumn: number,
  endColumn: number,
): number {
  const values = rollup[field];
  let worst = field === "min" ? Infinity : -Infinity;
  let kinds = 0;
  for (let lane = firstLane; lane < endLane; lane++) {
    const begin = rollup.cell(lane, 0);
    for (let cell = begin + firstColumn; cell < begin + endColumn; cell++) {
      const kind = rollup.kinds[cell]!;
      const value = values[cell]!;
      kinds |= kind;
      if (!(kind & FINITE) || !Number.isFinite(value)) continue;
      if (field === "min" ? value < worst : value > worst) worst = value;
    }
  }
  const alarming = scale.silence ? NON_FINITE : NON_FINITE | SILENT;
  if (kinds & alarming) return NON_FINITE_PIXEL;
  if (kinds === 0) return 0;
  if (!(kinds & FINITE)) return PIXELS[0]!;
  return PIXELS[Math.round(scale.place(worst) * (COLOURS - 1))]!;
}

/** [height, width] pixels; 0, which is transparent, where nothing was sampled. */
export function raster(
  rollup: Rollup,
  field: Field,
  scale: Scale,
  width: number,
  height: number,
): Uint32Array<ArrayBuffer> {
  const pixels = new Uint32Array(width * height);
  if (rollup.columns === 0 || rollup.lanes === 0) return pixels;
  const { from, to } = columnsOf(rollup, width);
  const bands = Math.min(rollup.lanes, height);
  for (let band = 0; band < bands; band++) {
    const lanes = lanesOfBand(band, bands, rollup.lanes);
    const top = Math.round((band * height) / bands);
    const bottom = Math.round(((band + 1) * height) / bands);
    const line = top * width;
    for (let x = 0; x < width; x++) {
      pixels[line + x] = colourOf(rollup, field, scale, lanes, from[x]!, to[x]!);
    }
    for (let y = top + 1; y < bottom; y++) {
      pixels.copyWithin(y * width, line, line + width);
    }
  }
  return pixels;
}
