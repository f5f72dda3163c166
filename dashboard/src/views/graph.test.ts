/** What the graph draws of a layer: its name as text, and nothing broken like what works. */

import { render } from "svelte/server";
import { describe, expect, it } from "vitest";
import { aFinding, aFrame, aRow, aSchema } from "../../tests/builders";
import { blocksOf } from "../lib/blocks";
import type { LayersAnswer } from "../lib/contract";
import { openFindings } from "../lib/health";
import { RunState } from "../lib/run-state";
import GraphBox from "./GraphBox.svelte";
import GraphFrame from "./GraphFrame.svelte";
import GraphTable from "./GraphTable.svelte";
import SelectedLayer from "./SelectedLayer.svelte";

const HOSTILE = `</text><img src=x onerror="alert(1)"><script>alert(2)</script>`;

function running(paths: readonly string[], values: readonly number[] = []): RunState {
  const state = new RunState();
  const rows = paths.map((path, row) => aRow({ id: `r${row}`, path, kind: path }));
  state.receive({ message: aSchema(rows, ["pre_db"]), blocks: new Map() });
  const judged = rows.map((row) => ({ ...row, values: {}, verdict: "healthy" }));
  state.setLayers({ rows: judged } as unknown as LayersAnswer);
  state.receive(aFrame(10, { pre_db: values }));
  return state;
}

function box(run: RunState, folded = false): string {
  const paths = run.desk.channels.map(({ path }) => path);
  const block = folded ? blocksOf([...paths, "last"])[0] : undefined;
  const shown = {
    from: 0,
    to: folded ? paths.length : 1,
    name: paths[0]!,
    block: folded ? 0 : -1,
    frame: -1,
  };
  const place = { x: 0, y: 0, selected: false, active: false, unfed: true, across: true };
  const props = { box: shown, block, run, findings: openFindings(run), ...place };
  return render(GraphBox, { props }).body;
}

it.each([
  ["a box", () => box(running([HOSTILE]))],
  ["a folded block", () => box(running([`${HOSTILE}/a`, `${HOSTILE}/b`]), true)],
  [
    "a frame",
    () => {
      const run = running([`${HOSTILE}/a`, `${HOSTILE}/b`]);
      const [block] = blocksOf([...run.desk.channels.map(({ path }) => path), "last"]);
      const rectangle = { x: 0, y: 0, width: 9_000, height: 90 };
      const props = { block: block!, index: 0, run, findings: new Map(), rectangle, scale: 1 };
      return render(GraphFrame, { props }).body;
    },
  ],
  [
    "the selected layer",
    () =>
      render(SelectedLayer, {
        props: { state: running([HOSTILE]), selected: 0, open: () => undefined },
      }).body,
  ],
])("%s with a name like markup is text", (_, draw) => {
  const body = draw();
  expect(body).not.toMatch(/<img|<script/i);
  expect(body).toContain("&lt;/text");
});

describe("a box", () => {
  it("says the name, the kind, the level and the verdict of its layer", () => {
    expect(box(running(["dense"], [3]))).toContain(
      'aria-label="dense, dense, +3.0\u202fdB, healthy"',
    );
  });

  it("whose level is NaN is not healthy", () => {
    const body = box(running(["dense"], [NaN]));
    expect(body).not.toContain("healthy");
    expect(body).toContain("NaN");
  });

  it("of a folded block says how many layers it holds and how many have findings", () => {
    const run = running(["core/a", "core/b"], [3, 3]);
    run.setFindings([aFinding({ row: "r1" })]);
    expect(box(run, true)).toContain(
      'aria-label="core, folded block of 2 layers, activity, 1 finding"',
    );
  });
});

it("the list of layers is not drawn before it is asked for", () => {
  const props = { state: running(["a", "b"]), blocks: [], select: () => undefined };
  expect(render(GraphTable, { props }).body).not.toContain("<table");
});
