/** Moving and zooming by mouse, pen and fingers, without taking the page's scrolling away. */

import type { Point } from "../lib/arrange";

export interface Moves {
  pan: (by: Point) => void;
  /** Makes everything larger by a factor around a point, in pixels from the element's corner. */
  zoom: (factor: number, at: Point) => void;
}

// A hand that clicks trembles.
const STILL = 4;
const WHEEL_STEP = 0.0022;
const LINE_PIXELS = 16;

/**
 * Drags and pinches on `element`; its style must leave `touch-action: pan-y` to the page. The wheel
 * zooms with Ctrl only, which is also what a pinch on a touch pad comes as.
 */
export function gestures(element: SVGElement, { pan, zoom }: Moves): () => void {
  const pointers = new Map<number, Point>();
  let moved = 0;

  const middle = (): Point => {
    const all = [...pointers.values()];
    const sum = all.reduce((left, right) => ({ x: left.x + right.x, y: left.y + right.y }));
    return { x: sum.x / all.length, y: sum.y / all.length };
  };
  const spread = (): number => {
    const [first, second] = [...pointers.values()];
    return second === undefined ? 1 : Math.hypot(first!.x - second.x, first!.y - second.y) || 1;
  };
  const inside = ({ x, y }: Point): Point => {
    const { left, top } = element.getBoundingClientRect();
    return { x: x - left, y: y - top };
  };

  const listeners: {
    [name in keyof SVGElementEventMap]?: (event: SVGElementEventMap[name]) => void;
  } = {
    pointerdown: (event) => {
      if (event.button !== 0) return;
      if (pointers.size === 0) moved = 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    pointermove: (event) => {
      // It was let go of outside, where nothing said so.
      if (event.buttons === 0) pointers.delete(event.pointerId);
      if (!pointers.has(event.pointerId)) return;
      const [from, apart] = [middle(), spread()];
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const to = middle();
      moved += Math.hypot(to.x - from.x, to.y - from.y);
      if (moved <= STILL && pointers.size < 2) return;
      element.setPointerCapture(event.pointerId);
      pan({ x: to.x - from.x, y: to.y - from.y });
      if (pointers.size > 1) zoom(spread() / apart, inside(to));
    },
    pointerup: (event) => void pointers.delete(event.pointerId),
    pointercancel: (event) => void pointers.delete(event.pointerId),
    wheel: (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
      const { clientX: x, clientY: y } = event;
      zoom(Math.exp(-event.deltaY * pixels * WHEEL_STEP), inside({ x, y }));
    },
    touchmove: (event) => {
      if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    },
  };
  // What ends a drag is no click; one that no press came before, as of a screen reader, is.
  const click = (event: Event): void => {
    if (moved > STILL) event.stopPropagation();
    moved = 0;
  };
  for (const [name, listener] of Object.entries(listeners)) {
    element.addEventListener(name, listener as EventListener, { passive: false });
  }
  element.addEventListener("click", click, { capture: true });
  return () => {
    for (const [name, listener] of Object.entries(listeners)) {
      element.removeEventListener(name, listener as EventListener);
    }
    element.removeEventListener("click", click, { capture: true });
  };
}
