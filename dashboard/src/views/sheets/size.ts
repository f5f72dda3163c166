/** How large a sheet is, in pixels of the page. */

export interface Size {
  width: number;
  height: number;
  /** Pixels of the screen for each of the page's. */
  ratio: number;
}

export type Pen = OffscreenCanvasRenderingContext2D;

/** Makes a sheet as large as what is drawn on it, and empty. */
export function clear({ canvas }: Pen, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** The same for what is drawn in pixels of the page. */
export function begin(pen: Pen, { width, height, ratio }: Size): void {
  clear(pen, Math.round(width * ratio), Math.round(height * ratio));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
}
