/** Names that come from trainers are text in comparisons and trials too, never markup. */

import { render } from "svelte/server";
import { expect, it } from "vitest";
import { aLayerRow, aTrial } from "../../tests/builders";
import LayerCells from "./compare/LayerCells.svelte";
import TrialCourse from "./trials/TrialCourse.svelte";
import TrialTable from "./trials/TrialTable.svelte";
import { linear } from "../lib/scale";

const HOSTILE = `"><img src=x onerror="alert(1)"><script>alert(2)</script>`;
const outcomes = { [HOSTILE]: [[1], [2]] };
const contestant = { arm: HOSTILE, strength: null, rank: 0, standing: null, outcomes };
const trial = aTrial({ layer: HOSTILE, metric: HOSTILE, seeds: [0, 1], steps: [0], contestants: [contestant] });
const side = { run: HOSTILE, detail: null, layers: null, error: null };

it.each([
  [
    "a layer of two runs",
    () => {
      const row = aLayerRow({ path: HOSTILE, verdict: HOSTILE });
      const match = { id: "r0", rows: [row, aLayerRow({ path: `${HOSTILE}2` })] };
      const sides = [side, { ...side, run: "b" }];
      return render(LayerCells, { props: { match, sides, by: "pre_db", choose: () => undefined } });
    },
  ],
  [
    "a trial's table",
    () =>
      render(TrialTable, {
        props: { trial, contestants: [contestant], place: 0, statistics: new Map() },
      }),
  ],
  [
    "a trial's course",
    () =>
      render(TrialCourse, {
        props: {
          trial,
          contestant,
          column: HOSTILE,
          axis: linear(0, 1),
          baseline: null,
          headroom: null,
          place: 0,
          format: String,
          point: () => undefined,
        },
      }),
  ],
])("%s shows markup as text", (_, rendered) => {
  const { body } = rendered();
  expect(body).not.toMatch(/<img|<script/i);
  expect(body).toContain("&lt;img");
});

it.each([
  ["best", /★ best/, /≈/],
  ["first", /≈ first, but not told apart/, /★/],
  ["few", /≈ first; too few seeds to tell/, /★/],
  ["alike", /≈ not told apart from the first/, /★/],
  [null, /hidden/, /★|≈/],
] as const)("a contestant whose standing is %s is called so", (standing, said, unsaid) => {
  const one = { arm: "hidden", strength: null, rank: 0, standing, outcomes: { loss: [[1]] } };
  const tried = aTrial({ metric: "loss", steps: [0], contestants: [one] });
  const props = { trial: tried, contestant: one, column: "loss", axis: linear(0, 4), baseline: null };
  const rest = { headroom: null, place: 0, format: String, point: () => undefined };
  const { body } = render(TrialCourse, { props: { ...props, ...rest } });
  expect(body).toMatch(said);
  expect(body).not.toMatch(unsaid);
});
