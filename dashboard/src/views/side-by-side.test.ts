/** Names that come from trainers are text in comparisons and trials too, never markup. */

import { render } from "svelte/server";
import { expect, it } from "vitest";
import { aLayerRow, aTrial } from "../../tests/builders";
import type { Contestant } from "../lib/contract";
import LayerCells from "./compare/LayerCells.svelte";
import TrialCourse from "./trials/TrialCourse.svelte";
import TrialTable from "./trials/TrialTable.svelte";
import { linear } from "../lib/scale";
import { standingsOf } from "../lib/standing";

const HOSTILE = `"><img src=x onerror="alert(1)"><script>alert(2)</script>`;
const outcomes = { [HOSTILE]: [[1], [2]] };
const contestant = { arm: HOSTILE, strength: null, rank: 0, outcomes };
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
        props: { trial, contestants: [contestant], standings: new Map(), place: 0, statistics: new Map() },
      }),
  ],
  [
    "a trial's course",
    () =>
      render(TrialCourse, {
        props: {
          trial,
          contestant,
          standing: undefined,
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
  ["three seeds that all say so", [3, 3, 3], /★ best/, /≈/],
  ["three that do not", [3, 0, 3], /≈ first, but not told apart/, /★/],
  ["one", [3], /fewer than 3 seeds do not tell/, /★/],
])("with %s the first of a trial is called so much", (_, losses, said, unsaid) => {
  const arm = (rank: number, finals: readonly number[]): Contestant => {
    return { arm: `${rank}`, strength: null, rank, outcomes: { loss: finals.map((loss) => [loss]) } };
  };
  const first = arm(0, losses.map(() => 1));
  const contestants = [first, arm(1, losses)];
  const seeded = aTrial({ metric: "loss", seeds: losses.map((_, seed) => seed), steps: [0], contestants });
  const standing = standingsOf(seeded).get(first);
  const props = { trial: seeded, contestant: first, standing, column: "loss", axis: linear(0, 4), baseline: null };
  const rest = { headroom: null, place: 0, format: String, point: () => undefined };
  const { body } = render(TrialCourse, { props: { ...props, ...rest } });
  expect(body).toMatch(said);
  expect(body).not.toMatch(unsaid);
});
