/** What is read below the meters of neighbouring channels: numbers, and bars beside them. */

import { begin, type Pen, type Size } from "./size";

export interface Text {
  text: string;
  x: number;
  /** Of its middle. */
  y: number;
  align: "center" | "right";
  font: string;
}

export interface Bar {
  left: number;
  top: number;
  width: number;
  height: number;
  colour: string;
}

export interface Readings {
  kind: "readings";
  size: Size;
  ink: string;
  texts: readonly Text[];
  bars: readonly Bar[];
}

export function drawReadings(pen: Pen, { size, ink, texts, bars }: Readings): void {
  begin(pen, size);
  for (const { left, top, width, height, colour } of bars) {
    pen.fillStyle = colour;
    pen.fillRect(left, top, width, height);
  }
  pen.fillStyle = ink;
  pen.textBaseline = "middle";
  for (const { text, x, y, align, font } of texts) {
    pen.font = font;
    pen.textAlign = align;
    pen.fillText(text, x, y);
  }
}
