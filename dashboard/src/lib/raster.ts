/** Paints a history into pixels: lanes from top to bottom, steps from left to right. */

import { type Axis, stepAt, xOf } from "./axis";
import { COLOURS, NON_FINITE_COLOUR, pixel, PIXELS } from "./colormap";
import { FINITE, type Field, NON_FINITE, type Rollup, SILENT } from "./rollup";
import type { Scale } from "./scale";

const NON_FINITE_PIXEL = pixel(NON_FINITE_COLOUR);

/** What is painted of a history, and how large. */
export interface Picture {
  field: Field;
  scale: Scale;
  axis: Axis;
  /** The first lane shown, and the one after the last. */
  lanes: readonly [number, number];
  width: number;
  height: number;
  /** Pixels left empty below each lane, so that neighbours of one colour are told apart. */
  gap: number;
}

/** The lanes of a band, where there are more lanes than pixels. */
export function lanesOfBand(
  band: number,
  bands: number,
  [first, end]: readonly [number, number],
): [number, number] {
  const lanes = end - first;
  return [first + Math.floor((band * lanes) / bands), first + Math.floor(((band + 1) * lanes) / bands)];
}

/** How far a column reaches beyond its step where no other one follows. */
function reach({ steps, columns }: Rollup): number {
  return columns < 2 ? Infinity : (steps[columns - 1]! - steps[columns - 2]!) / 2;
}

/**
 * The columns that a pixel shows, the first and the one after the last; none beyond the history.
 * Every column within the axis falls into a pixel, so that no spike is lost where pixels are few.
 */
export function columnsAt(rollup: Rollup, { axis, width }: Picture, x: number): [number, number] {
  const [left, right] = [stepAt(axis, x, width), stepAt(axis, x + 1, width)];
  const { firstStep, lastStep, columns } = rollup;
  const beyond = reach(rollup);
  if (left > lastStep + beyond || right < firstStep - beyond) return [0, 0];
  const from = rollup.columnAt(left);
  const to = rollup.columnAt(right);
  // The pixel of the last step shows it, though those before it may lie there as well.
  if (right >= lastStep) return [from, columns];
  return [from, Math.max(to, from + 1)];
}

type ColourOf = (firstLane: number, endLane: number, firstColumn: number, endColumn: number) => number;

/** What tells the colour of the cells of a few lanes and columns: the most extreme one counts. */
function colouring(rollup: Rollup, { field, scale }: Picture): ColourOf {
  const { kinds } = rollup;
  const values = rollup[field];
  const lowest = field === "min";
  const alarming = scale.silence ? NON_FINITE : NON_FINITE | SILENT;
  // Asked of every pixel: nothing is looked up or allocated that need not be.
  return (firstLane, endLane, firstColumn, endColumn) => {
    let worst = lowest ? Infinity : -Infinity;
    let found = 0;
    for (let lane = firstLane; lane < endLane; lane++) {
      const begin = rollup.cell(lane, 0);
      for (let cell = begin + firstColumn; cell < begin + endColumn; cell++) {
        const kind = kinds[cell]!;
        const value = values[cell]!;
        found |= kind;
        if (!(kind & FINITE) || !Number.isFinite(value)) continue;
        if (lowest ? value < worst : value > worst) worst = value;
      }
    }
    if (found & alarming) return NON_FINITE_PIXEL;
    if (found === 0) return 0;
    if (!(found & FINITE)) return PIXELS[0]!;
    return PIXELS[Math.round(scale.place(worst) * (COLOURS - 1))]!;
  };
}

/** What was painted last, which tells what need not be painted again. */
interface Painted {
  rollup: Rollup;
  revision: number;
  columns: number;
  picture: string;
}

/** [height, width] pixels that follow a history; 0, which is transparent, where nothing was sampled. */
export class Raster {
  pixels = new Uint32Array(0);
  private painted: Painted | null = null;

  /** Paints what is not there yet; returns the first pixel column that changed: `width` for none. */
  paint(rollup: Rollup, picture: Picture): number {
    const key = JSON.stringify(picture);
    const { painted } = this;
    const goesOn =
      painted?.rollup === rollup && painted.revision === rollup.revision && painted.picture === key;
    if (!goesOn) this.pixels = new Uint32Array(picture.width * picture.height);
    this.painted = { rollup, revision: rollup.revision, columns: rollup.columns, picture: key };
    if (rollup.columns === 0 || picture.lanes[1] <= picture.lanes[0]) return 0;
    // The last column may have taken in another sample, and its right end moves with the next one.
    const first = goesOn ? firstPixel(rollup, picture, painted.columns - 1) : 0;
    this.fill(rollup, picture, first);
    return first;
  }

  /** [height, width - first]: the pixels from column `first` on. */
  from(first: number, width: number): Uint32Array<ArrayBuffer> {
    const height = this.pixels.length / width;
    const found = new Uint32Array((width - first) * height);
    for (let y = 0; y < height; y++) {
      found.set(this.pixels.subarray(y * width + first, (y + 1) * width), y * (width - first));
    }
    return found;
  }

  private fill(rollup: Rollup, picture: Picture, first: number): void {
    const { pixels } = this;
    const { width, height, lanes, gap } = picture;
    const colourOf = colouring(rollup, picture);
    const count = width - first;
    const [begins, ends] = [new Int32Array(count), new Int32Array(count)];
    for (let x = 0; x < count; x++) [begins[x], ends[x]] = columnsAt(rollup, picture, first + x);
    const bands = Math.min(lanes[1] - lanes[0], height);
    for (let band = 0; band < bands; band++) {
      const [firstLane, endLane] = lanesOfBand(band, bands, lanes);
      const top = Math.round((band * height) / bands);
      const bottom = Math.max(top + 1, Math.round(((band + 1) * height) / bands) - gap);
      const line = top * width + first;
      let colour = 0;
      for (let x = 0; x < count; x++) {
        const begin = begins[x]!;
        const end = ends[x]!;
        if (x === 0 || begin !== begins[x - 1] || end !== ends[x - 1]) {
          colour = colourOf(firstLane, endLane, begin, end);
        }
        pixels[line + x] = colour;
      }
      for (let y = top + 1; y < bottom; y++) {
        pixels.copyWithin(y * width + first, line, line + count);
      }
    }
  }
}

/** The first pixel that shows something of `column` or of one behind it. */
function firstPixel(rollup: Rollup, { axis, width }: Picture, column: number): number {
  if (column <= 0) return 0;
  const middle = (rollup.steps[column - 1]! + rollup.steps[column]!) / 2;
  return Math.min(Math.max(Math.floor(xOf(axis, middle, width)) - 1, 0), width);
}
