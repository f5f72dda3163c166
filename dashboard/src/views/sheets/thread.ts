/** What runs in the thread that draws: each message brings a sheet, a drawing for it, or its end. */

import { type Bridge, drawBridge } from "./bridge";
import { type Cells, drawCells } from "./cells";
import { drawMeters, type Meters } from "./meters";
import { drawReadings, type Readings } from "./readings";
import type { Pen } from "./size";

export type Drawing = Bridge | Cells | Meters | Readings;

export type Order = { sheet: number } & ({ canvas: OffscreenCanvas } | { drawing: Drawing } | { gone: true });

const pens = new Map<number, Pen>();

function draw(pen: Pen, drawing: Drawing): void {
  switch (drawing.kind) {
    case "bridge":
      return drawBridge(pen, drawing);
    case "cells":
      return drawCells(pen, drawing);
    case "meters":
      return drawMeters(pen, drawing);
    case "readings":
      return drawReadings(pen, drawing);
  }
}

self.onmessage = ({ data }: MessageEvent<Order>) => {
  const pen = pens.get(data.sheet);
  if ("canvas" in data) {
    const context = data.canvas.getContext("2d");
    if (context !== null) pens.set(data.sheet, context);
  } else if ("gone" in data) pens.delete(data.sheet);
  else if (pen !== undefined) draw(pen, data.drawing);
};
