/** The cells of a heatmap, of which only what changed is sent. */

import { clear, type Pen } from "./size";

export interface Cells {
  kind: "cells";
  /** Of the sheet, in pixels of the screen. */
  width: number;
  height: number;
  /** The first column that changed; all those right of it follow. */
  first: number;
  /** [height, width - first]. */
  pixels: Uint32Array<ArrayBuffer>;
}

export function drawCells(pen: Pen, { width, height, first, pixels }: Cells): void {
  clear(pen, width, height);
  const bytes = new Uint8ClampedArray(pixels.buffer);
  pen.putImageData(new ImageData(bytes, width - first, height), first, 0);
}
