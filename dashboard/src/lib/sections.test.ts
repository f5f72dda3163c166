import { expect, it } from "vitest";
import { arrange, type Contents, GAP, type Way } from "./arrange";
import { Sections } from "./sections";

const BOX = { width: 100, height: 40 };

function way(source: number, target: number): Way {
  return { source, target, weight: 1, begin: 0, end: 0 };
}

function contents(count: number, ways: Way[], given: Partial<Contents> = {}): Contents {
  return { entries: 0, items: Array(count).fill(BOX), exits: 0, ways, ...given };
}

it("a row of layers is a straight line of boxes, however many", () => {
  const count = 5_000;
  const chain = Array.from({ length: count - 1 }, (_, index) => way(index, index + 1));
  const { width, height, middles, routes } = new Sections().arrange(contents(count, chain));
  expect([width, height]).toEqual([count * 100 + (count - 1) * GAP, 40]);
  expect(middles[2]).toEqual({ x: 2 * (100 + GAP) + 50, y: 20 });
  expect(routes.every((points) => points.length === 0)).toBe(true);
});

it("what is joined by more than one way is laid out together", () => {
  const inside = contents(4, [way(0, 1), way(1, 2), way(0, 2), way(2, 3)]);
  const shortcut = contents(3, [way(0, 1), way(1, 2), way(0, 2)]);
  const { width, routes } = new Sections().arrange(inside);
  expect(width).toBe(arrange(shortcut).width + GAP + 100);
  expect(routes[2]).toHaveLength(2);
});

it("ports at both ends are sections of their own where one way passes", () => {
  const inside = contents(2, [way(0, 1), way(1, 2), way(2, 3)], { entries: 1, exits: 1 });
  const { middles, width } = new Sections().arrange(inside);
  expect(middles.map(({ x }) => x)).toEqual([0, GAP + 50, 2 * GAP + 150, width]);
});

it("sections of different heights are joined by a straight way", () => {
  // A low box, a high one that is left below its middle, and a low one.
  const items = [BOX, { width: 100, height: 400 }, BOX];
  const ways = [way(0, 1), { ...way(1, 2), begin: 50 }];
  const { middles } = new Sections().arrange(contents(3, ways, { items }));
  expect(middles.map(({ y }) => y)).toEqual([200, 200, 250]);
});

it("many sections that each lead downwards make no stair", () => {
  const items = Array(50).fill({ width: 100, height: 400 });
  const ways = items
    .slice(1)
    .map((_, index) => ({ ...way(index, index + 1), begin: 150, end: -150 }));
  expect(new Sections().arrange(contents(0, ways, { items })).height).toBeLessThanOrEqual(460);
});

it("nothing takes no room", () => {
  expect(new Sections().arrange(contents(0, []))).toMatchObject({ width: 0, height: 0 });
});
