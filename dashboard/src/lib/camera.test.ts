import { describe, expect, it } from "vitest";
import { fitted, hit, inView, opened, panned, rectangleOf, revealed, zoomed } from "./camera";

const VIEW = { width: 880, height: 480 };
const WIDE = { width: 8_000, height: 400 };

describe("a camera", () => {
  it("shows a small plane in the middle and no larger than it is", () => {
    expect(fitted({ width: 400, height: 200 }, VIEW)).toEqual({ x: 240, y: 140, scale: 1 });
  });

  it("shows all of a large one", () => {
    expect(fitted(WIDE, VIEW)).toEqual({ x: 40, y: 220, scale: 0.1 });
  });

  it("opens with what matters in view, where all of it would be too small to read", () => {
    const box = { x: 4_000, y: 100, width: 184, height: 50 };
    const camera = opened(WIDE, VIEW, box);
    expect(camera.scale).toBe(0.75);
    expect(camera.x + camera.scale * (box.x + box.width / 2)).toBeCloseTo(VIEW.width / 2);
  });

  it("opens with all of it, where that can be read", () => {
    const plane = { width: 900, height: 100 };
    const box = { x: 800, y: 0, width: 100, height: 50 };
    expect(opened(plane, VIEW, box)).toEqual(fitted(plane, VIEW));
  });

  it("zooms around the point that was shown", () => {
    const camera = zoomed({ x: 0, y: 0, scale: 1 }, 2, { x: 100, y: 50 }, WIDE, VIEW);
    expect(camera).toEqual({ x: -100, y: -50, scale: 2 });
  });

  it("zooms no further than to all of it, or to four times what can be read", () => {
    const camera = { x: 0, y: 0, scale: 0.5 };
    const middle = { x: 440, y: 240 };
    expect(zoomed(camera, 1e-6, middle, WIDE, VIEW).scale).toBeCloseTo(0.1);
    expect(zoomed(camera, 1e6, middle, WIDE, VIEW).scale).toBe(2.5);
  });

  it("cannot lose the plane", () => {
    const camera = { x: 0, y: 0, scale: 1 };
    expect(panned(camera, { x: 1e6, y: 0 }, WIDE, VIEW).x).toBe(40);
    expect(panned(camera, { x: -1e6, y: 0 }, WIDE, VIEW).x).toBe(880 - 8_000 - 40);
  });

  it("moves as little as brings something into view", () => {
    const camera = { x: 0, y: 40, scale: 1 };
    const near = { x: 200, y: 100, width: 184, height: 50 };
    expect(revealed(camera, near, WIDE, VIEW)).toEqual(camera);
    expect(revealed(camera, { ...near, x: 900 }, WIDE, VIEW).x).toBe(-(900 + 184 + 40 - 880));
    expect(revealed({ ...camera, x: -500 }, near, WIDE, VIEW).x).toBe(-160);
  });
});

describe("rectangles", () => {
  const two = Float64Array.of(0, 0, 100, 50, 1_000, 0, 100, 50);

  it("are in view or not", () => {
    expect(inView(two, { x: 0, y: 0, scale: 1 }, VIEW)).toEqual([0]);
    expect(inView(two, { x: 0, y: 0, scale: 0.5 }, VIEW)).toEqual([0, 1]);
    expect(inView(two, { x: 0, y: -60, scale: 1 }, VIEW)).toEqual([]);
  });

  it("are hit by points inside them, the uppermost first", () => {
    const camera = { x: -900, y: 10, scale: 1 };
    expect(hit(two, camera, { x: 150, y: 20 })).toBe(1);
    expect(hit(two, camera, { x: 150, y: 5 })).toBe(-1);
    expect(
      hit(Float64Array.of(0, 0, 9, 9, 0, 0, 9, 9), { x: 0, y: 0, scale: 1 }, { x: 5, y: 5 }),
    ).toBe(1);
  });

  it("are read one by one", () => {
    expect(rectangleOf(two, 1)).toEqual({ x: 1_000, y: 0, width: 100, height: 50 });
  });
});
