/** NaN is never drawn like something that works. */

import { render } from "svelte/server";
import { expect, it } from "vitest";
import { aChannel, aFrame, aRow, aSchema } from "../../tests/builders";
import type { LayersAnswer } from "../lib/contract";
import { RunState } from "../lib/run-state";
import Strip from "./Strip.svelte";

function strip(level: number, peak: number, nonfinite: number): string {
  const state = new RunState();
  const schema = aSchema([aRow()], ["pre_db", "pre_max", "nonfinite_rate"]);
  state.receive({ message: schema, blocks: new Map() });
  const row = { ...aRow(), values: {}, verdict: "healthy", headroom_db: 15.5 };
  state.setLayers({ rows: [row] } as unknown as LayersAnswer);
  state.receive(aFrame(10, { pre_db: [level], pre_max: [peak], nonfinite_rate: [nonfinite] }));
  const place = { index: 0, count: 1, left: 0, width: 128, selected: false, active: false, pointed: false, compact: false, open: () => undefined };
  const props = { channel: aChannel(), run: state, select: () => undefined, ...place };
  return render(Strip, { props }).body;
}

it("a layer that works has a healthy badge", () => {
  expect(strip(6, 4, 0)).toContain("healthy");
});

it.each<[string, [number, number, number]]>([
  ["NaN", [NaN, NaN, 1]],
  ["infinite", [Infinity, Infinity, 0.5]],
  ["NaN in part, whatever the level of the rest", [6, 4, 0.01]],
])("a layer that is %s has none", (_, values) => {
  expect(strip(...values)).not.toContain("healthy");
});
