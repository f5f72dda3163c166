import { describe, expect, it } from "vitest";
import { type Contents, sizesOf, type Way } from "./arrange";
import { Sections } from "./sections";
import { wrapped } from "./wrap";

const BOX = { width: 100, height: 40 };

function way(source: number, target: number): Way {
  return { source, target, weight: 1, begin: 0, end: 0 };
}

function lines(contents: Contents, least: number): ReturnType<typeof wrapped> {
  const arranged = new Sections().arrange(contents);
  return wrapped(arranged, sizesOf(contents), contents.ways, least, 1.7);
}

function chain(count: number, given: Partial<Contents> = {}): Contents {
  const ways = Array.from({ length: count - 1 }, (_, index) => way(index, index + 1));
  return { entries: 0, items: Array(count).fill(BOX), exits: 0, ways, ...given };
}

describe("a row of layers", () => {
  it("that fits into a line is left alone", () => {
    const short = chain(6);
    const arranged = new Sections().arrange(short);
    expect(wrapped(arranged, sizesOf(short), short.ways, 800, 1.7)).toBe(arranged);
  });

  it("is broken into lines of about the same length", () => {
    const { middles, width } = lines(chain(12), 900);
    const heights = [...new Set(middles.map(({ y }) => y))];
    expect(heights.map((y) => middles.filter((middle) => middle.y === y).length)).toEqual([6, 6]);
    expect(middles[6]!.x).toBe(middles[0]!.x);
    expect(width).toBeLessThan(1_100);
  });

  it("goes on in the next line by a way around the end of this one", () => {
    const { middles, routes } = lines(chain(12), 900);
    const [right, below, left, last] = routes[5]!;
    expect(right!.x).toBeGreaterThan(middles[5]!.x + 50);
    expect(right!.y).toBe(middles[5]!.y);
    expect(below!.x).toBe(right!.x);
    expect([left!.y, left!.x < middles[6]!.x - 50]).toEqual([below!.y, true]);
    expect(last).toEqual({ x: left!.x, y: middles[6]!.y });
  });

  it("of very many layers becomes a page and no ribbon", () => {
    const { width, height } = lines(chain(1_000), 900);
    expect(width / height).toBeGreaterThan(1);
    expect(width / height).toBeLessThan(3);
  });
});

it("a line ends where the fewest ways go on", () => {
  const contents = chain(12);
  const { middles } = lines({ ...contents, ways: [...contents.ways, way(4, 7)] }, 900);
  const ends = [...middles.keys()].filter(
    (box) => middles[box + 1] && middles[box + 1]!.x < middles[box]!.x,
  );
  expect(ends.length).toBeGreaterThan(0);
  expect(ends.filter((box) => box >= 4 && box < 7)).toEqual([]);
});

it("no line ends where more ways go on than have room beside each other", () => {
  const ways = Array.from({ length: 19 }, (_, index) => way(index, index + 1));
  const shortcuts = [0, 1, 2, 3].map((index) => way(index, 19 - index));
  const contents = chain(20, { ways: [...ways, ...shortcuts] });
  expect(lines(contents, 600).width).toBeGreaterThan(20 * 100);
});

it("ports stay in the line of what is beside them", () => {
  const contents = { ...chain(10), entries: 1, items: Array(8).fill(BOX), exits: 1 };
  const { middles } = lines(contents, 400);
  expect(middles[0]!.y).toBe(middles[1]!.y);
  expect(middles[9]!.y).toBe(middles[8]!.y);
});
