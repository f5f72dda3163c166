/** Which part of a plane is seen, and how large. */

import type { Point, Size } from "./arrange";

/** Where the plane's origin is seen, and how long one unit of it is, in pixels. */
export interface Camera extends Point {
  scale: number;
}

export interface Rectangle extends Point, Size {}

const LARGEST = 2.5;
// Smaller than this, a name can no longer be read.
const READABLE = 0.75;
export const MARGIN = 40;

/** All of a plane, never larger than life. */
export function fitted(plane: Size, view: Size): Camera {
  const scale = Math.min(
    (view.width - 2 * MARGIN) / Math.max(plane.width, 1),
    (view.height - 2 * MARGIN) / Math.max(plane.height, 1),
    1,
  );
  return centred({ x: 0, y: 0, ...plane }, view, Math.max(scale, 1e-3));
}

/** All of it where that can be read, else as much of its width as can be, with `first` in view. */
export function opened(plane: Size, view: Size, first: Rectangle): Camera {
  const all = fitted(plane, view);
  if (all.scale >= READABLE) return all;
  const width = (view.width - 2 * MARGIN) / Math.max(plane.width, 1);
  const scale = Math.min(Math.max(width, READABLE), 1);
  return within(centred(first, view, scale), plane, view);
}

function centred({ x, y, width, height }: Rectangle, view: Size, scale: number): Camera {
  return {
    x: view.width / 2 - scale * (x + width / 2),
    y: view.height / 2 - scale * (y + height / 2),
    scale,
  };
}

/** The same by a factor larger, with one point of the view where it is. */
export function zoomed(camera: Camera, factor: number, at: Point, plane: Size, view: Size): Camera {
  const least = Math.min(fitted(plane, view).scale, READABLE);
  const scale = Math.min(Math.max(camera.scale * factor, least), LARGEST);
  const ratio = scale / camera.scale;
  const moved = { x: at.x - ratio * (at.x - camera.x), y: at.y - ratio * (at.y - camera.y), scale };
  return within(moved, plane, view);
}

export function panned(camera: Camera, by: Point, plane: Size, view: Size): Camera {
  return within({ ...camera, x: camera.x + by.x, y: camera.y + by.y }, plane, view);
}

/** Moved as little as brings a rectangle into view. */
export function revealed(camera: Camera, rectangle: Rectangle, plane: Size, view: Size): Camera {
  const { scale } = camera;
  const along = (at: number, from: number, size: number, room: number): number => {
    const [begin, end] = [at + scale * from - MARGIN, at + scale * (from + size) + MARGIN];
    if (begin < 0) return at - begin;
    return end > room ? at - Math.min(end - room, begin) : at;
  };
  const { x, y, width, height } = rectangle;
  const moved = {
    x: along(camera.x, x, width, view.width),
    y: along(camera.y, y, height, view.height),
    scale,
  };
  return within(moved, plane, view);
}

/** Held so that the plane never gets out of view: in the middle, where all of it fits. */
function within(camera: Camera, plane: Size, view: Size): Camera {
  const along = (at: number, size: number, room: number): number => {
    const [least, most] = [room - size - MARGIN, MARGIN];
    return least > most ? (room - size) / 2 : Math.min(Math.max(at, least), most);
  };
  const { x, y, scale } = camera;
  return {
    x: along(x, scale * plane.width, view.width),
    y: along(y, scale * plane.height, view.height),
    scale,
  };
}

/** Which of many rectangles, by four numbers each, are in view. */
export function inView(rectangles: Float64Array, camera: Camera, view: Size): number[] {
  const { x, y, scale } = camera;
  const found: number[] = [];
  for (let at = 0; at < rectangles.length; at += 4) {
    const left = x + scale * rectangles[at]!;
    const top = y + scale * rectangles[at + 1]!;
    const right = left + scale * rectangles[at + 2]!;
    const bottom = top + scale * rectangles[at + 3]!;
    if (right >= 0 && left <= view.width && bottom >= 0 && top <= view.height) found.push(at / 4);
  }
  return found;
}

/** The last of the rectangles, which lies above the others, that a point of the view is in; -1. */
export function hit(rectangles: Float64Array, camera: Camera, at: Point): number {
  const x = (at.x - camera.x) / camera.scale;
  const y = (at.y - camera.y) / camera.scale;
  for (let index = rectangles.length / 4 - 1; index >= 0; index--) {
    const [left, top, width, height] = rectangles.subarray(4 * index, 4 * index + 4);
    if (x >= left! && x <= left! + width! && y >= top! && y <= top! + height!) return index;
  }
  return -1;
}

export function rectangleOf(rectangles: Float64Array, index: number): Rectangle {
  const [x, y, width, height] = rectangles.subarray(4 * index, 4 * index + 4);
  return { x: x!, y: y!, width: width!, height: height! };
}
