/** NaN is never drawn like something that works. */

import { render } from "svelte/server";
import { expect, it } from "vitest";
import { aChannel, aFrame, aRow, aSchema } from "../../tests/builders";
import type { LayersAnswer } from "../lib/contract";
import { RunState } from "../lib/run-state";
import Strip from "./Strip.svelte";

function strip(...values: number[]): string {
  const state = new RunState();
  const schema = aSchema([aRow()], ["pre_db", "pre_max", "nonfinite_rate"]);
  state.receive({ message: schema, blocks: new Map() });
  const row = { ...aRow(), values: {}, verdict: "healthy", headroom_db: 15.5 };
  state.setLayers({ rows: [row] } as unknown as LayersAnswer);
  state.receive(aFrame(10, values));
  const place = { index: 0, count: 1, left: 0, width: 128, selected: false, active: false, pointed: false, compact: false, open: () => undefined };
  const props = { channel: aChannel(), run: state, select: () => undefined, ...place };
  return render(Strip, { props }).body;
}

const LIT = /class="fill(?! \w*(input|gain|coherence))[^"]*" style="height/;

it("a layer that works has a lit meter and a healthy badge", () => {
  const body = strip(6, 4, 0);
  expect(body).toMatch(LIT);
  expect(body).toContain("healthy");
});

it.each([
  ["NaN", [NaN, NaN, 1], "NaN"],
  ["infinite", [Infinity, Infinity, 0.5], "∞"],
  ["NaN in part, whatever the level of the rest", [6, 4, 0.01], "NaN"],
])("a layer that is %s has neither", (_, values, sign) => {
  const body = strip(...values);
  expect(body).not.toMatch(LIT);
  expect(body).not.toContain("healthy");
  expect(body).toMatch(new RegExp(`class="broken[^"]*">${sign}<`));
});
