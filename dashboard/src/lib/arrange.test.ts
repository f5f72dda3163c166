import { describe, expect, it } from "vitest";
import { type Arranged, arrange, type Contents, type Way } from "./arrange";

const BOX = { width: 100, height: 40 };

function way(source: number, target: number, given: Partial<Way> = {}): Way {
  return { source, target, weight: 1, begin: 0, end: 0, ...given };
}

function contents(count: number, ways: Way[], given: Partial<Contents> = {}): Contents {
  return { entries: 0, items: Array(count).fill(BOX), exits: 0, ways, ...given };
}

function columns({ middles }: Arranged): number[] {
  const all = [...new Set(middles.map(({ x }) => Math.round(x)))].sort((a, b) => a - b);
  return middles.map(({ x }) => all.indexOf(Math.round(x)));
}

/** A diamond: 0 feeds 1, 2 and 3, which feed 4. */
const DIAMOND = contents(5, [way(0, 1), way(0, 2), way(0, 3), way(1, 4), way(2, 4), way(3, 4)]);

describe("things laid out", () => {
  it("stand in the order of the data flow, from the corner", () => {
    const arranged = arrange(DIAMOND);
    expect(columns(arranged)).toEqual([0, 1, 1, 1, 2]);
    expect(arranged.middles[0]!.x).toBe(50);
    expect([arranged.width, arranged.height]).toEqual([3 * 100 + 2 * 46, 3 * 40 + 2 * 18]);
  });

  it("stand one below the other in the order of the layers", () => {
    const [, first, second, third] = arrange(DIAMOND).middles;
    expect(first!.y < second!.y && second!.y < third!.y).toBe(true);
  });

  it("are passed beside by ways to what comes later", () => {
    const { middles, routes } = arrange(contents(3, [way(0, 1), way(1, 2), way(0, 2)]));
    expect(routes[0]).toEqual([]);
    expect(routes[2]!.map(({ x }) => x)).toEqual([middles[1]!.x - 50, middles[1]!.x + 50]);
    expect(Math.abs(routes[2]![0]!.y - middles[1]!.y)).toBeGreaterThan(20);
  });

  it("are left at the edge of their rank, where something wider stands in it", () => {
    const wide = { width: 300, height: 40 };
    const { middles, routes } = arrange(
      contents(4, [way(0, 1), way(0, 2), way(1, 3), way(2, 3)], { items: [BOX, wide, BOX, BOX] }),
    );
    expect(routes[1]).toEqual([{ x: middles[2]!.x - 150, y: middles[2]!.y }]);
    expect(routes[3]).toEqual([{ x: middles[2]!.x + 150, y: middles[2]!.y }]);
  });

  it("have their entries before and their exits behind everything, also what nothing feeds", () => {
    // 0 is the entry and 4 the exit; 3 is by itself.
    const inside = contents(3, [way(0, 1), way(1, 2), way(2, 4)], { entries: 1, exits: 1 });
    expect(columns(arrange(inside))).toEqual([0, 1, 2, 2, 3]);
  });
});

describe("ways that pass too many ranks to be laid out in time", () => {
  const count = 400;
  const chain = Array.from({ length: count - 1 }, (_, index) => way(index, index + 1));
  const long = Array.from({ length: 30 }, (_, index) => way(index, count - 1 - index));
  const arranged = arrange(contents(count, [...chain, ...long]));

  it("share a lane below everything, and the shorter ones do not", () => {
    const lane = (index: number): number[] =>
      arranged.routes[chain.length + index]!.map(({ y }) => Math.round(y));
    expect(lane(0)).toEqual([Math.round(arranged.height), Math.round(arranged.height)]);
    expect(lane(29).length).toBeGreaterThan(2);
  });

  it("are drawn nevertheless", () => {
    expect(
      arranged.routes.every((points, index) => index < chain.length || points.length > 1),
    ).toBe(true);
  });
}, 60_000);
