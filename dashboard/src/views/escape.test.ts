/** Names of layers, findings' texts and statistics come from trainers: they are text, never markup. */

import { render } from "svelte/server";
import { expect, it } from "vitest";
import { aChannel, aFinding, aRow, aRunSummary, aSchema } from "../../tests/builders";
import { RunState } from "../lib/run-state";
import { choiceOf } from "../lib/runs-list";
import Chosen from "./Chosen.svelte";
import CodeBlock from "./CodeBlock.svelte";
import FindingCard from "./FindingCard.svelte";
import NoneFits from "./NoneFits.svelte";
import Prose from "./Prose.svelte";
import RunsFilter from "./RunsFilter.svelte";
import RunsTable from "./RunsTable.svelte";
import Strip from "./Strip.svelte";
import VerdictBadge from "./VerdictBadge.svelte";

const HOSTILE = `</code><img src=x onerror="alert(1)"><script>alert(2)</script>' \`<b>\``;
const MARKUP = /<img|<script|<b>/i;

function stateOf(path: string): RunState {
  const state = new RunState();
  state.receive({ message: aSchema([aRow({ path })], ["pre_db"]), blocks: new Map() });
  return state;
}

const finding = aFinding({
  layer: HOSTILE,
  verdict: HOSTILE,
  summary: HOSTILE,
  remedy: HOSTILE,
  code: HOSTILE,
  before: HOSTILE,
  levels: { pre: 1 },
  effects: [{ term: HOSTILE, change: -20 }],
  alternatives: [{ name: HOSTILE, reason: HOSTILE }],
  evidence: { [HOSTILE]: { value: 1, limit: 0, unit: HOSTILE, reference: 0 } },
});

const run = aRunSummary({
  id: HOSTILE,
  project: HOSTILE,
  tags: [HOSTILE],
  verdicts: { [HOSTILE]: 1 },
  findings_open: 1,
});
const choice = choiceOf((name) => (name === "sort" ? null : HOSTILE));
const choose = (): void => undefined;
const picked = new Set([HOSTILE]);

it.each([
  ["prose", () => render(Prose, { props: { text: HOSTILE } })],
  ["code", () => render(CodeBlock, { props: { code: HOSTILE, label: HOSTILE } })],
  ["a verdict", () => render(VerdictBadge, { props: { verdict: HOSTILE } })],
  [
    "a finding",
    () =>
      render(FindingCard, {
        props: {
          run: HOSTILE,
          finding,
          state: stateOf(HOSTILE),
          statistics: new Map(),
          select: () => undefined,
          unfolded: true,
        },
      }),
  ],
  [
    "a strip",
    () =>
      render(Strip, {
        props: {
          channel: aChannel({ path: HOSTILE, kind: HOSTILE, activation: HOSTILE, unjudged: HOSTILE }),
          index: 0,
          count: 1,
          run: stateOf(HOSTILE),
          left: 0,
          width: 128,
          selected: false,
          active: false,
          pointed: false,
          compact: false,
          open: () => undefined,
          select: () => undefined,
        },
      }),
  ],
  [
    "the list of runs",
    () => render(RunsTable, { props: { runs: [run], choice, choose, picked, pick: choose } }),
  ],
  ["the menus of the list", () => render(RunsFilter, { props: { runs: [run], choice, choose } })],
  ["an empty list", () => render(NoneFits, { props: { choice, clear: choose } })],
  ["runs that are chosen", () => render(Chosen, { props: { runs: [run], clear: choose, remove: choose } })],
])("%s shows markup as text", (_, rendered) => {
  const { body } = rendered();
  expect(body).not.toMatch(MARKUP);
  expect(body).toContain("&lt;img");
});
