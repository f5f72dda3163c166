/** Whether a finding's remedy helped: the same layer in a later run, beside what it was. */

import type { Api } from "./api";
import { settings, type Setting, valueOf } from "./compare";
import type { Finding, LayerRow, RunSummary } from "./contract";
import { formatNumber, numberOf } from "./number";
import { comparePath } from "./route";
import { formatStatistic } from "./statistic";

// Later runs whose layers are fetched.
const MOST_CANDIDATES = 3;
// A patch puts a few layers in the place of one; a run with many more is of another model.
const MORE_LAYERS = 4;
const MORE_SHARE = 0.5;

/** What a verdict lays the blame on, behind what is shown of every layer. */
const GUILTY: ReadonlyMap<string, readonly [statistic: string, title: string]> = new Map([
  ["activity", ["coherence_db", "Coherence"]],
  ["kernel", ["gain_db", "Kernel gain"]],
  ["input", ["input_db", "Input"]],
  ["bias", ["bias_db", "Bias"]],
  ["dead", ["dead_units", "Dead units"]],
  ["untrained", ["update_ratio", "Update"]],
]);
const LOGS = /(^|_)(loss|acc|accuracy)$/;

/** One run and one layer of it. */
export interface Moment {
  run: RunSummary;
  row: LayerRow;
}

export interface Pair {
  before: Moment;
  after: Moment;
  /** Whether the layer has another identity in the later run, and is known by its name alone. */
  byName: boolean;
}

export interface Line {
  title: string;
  before: string;
  after: string;
}

/** Later ones of the project's runs, the newest first, that may be of the same model. */
export function candidates(run: RunSummary, runs: readonly RunSummary[]): RunSummary[] {
  const most = Math.max(MORE_LAYERS, MORE_SHARE * run.layers);
  return runs
    .filter(({ started }) => started > run.started)
    .filter(({ layers }) => layers > 0 && Math.abs(layers - run.layers) <= most)
    .sort((left, right) => right.started - left.started)
    .slice(0, MOST_CANDIDATES);
}

/** The row of another run that is the same layer: by its id, or else the only one of its name. */
export function counterpart(row: LayerRow, rows: readonly LayerRow[]): LayerRow | null {
  const same = rows.find(({ id }) => id === row.id);
  if (same !== undefined) return same;
  const alike = rows.filter((one) => one.kind === row.kind && nameOf(one) === nameOf(row));
  return alike.length === 1 ? alike[0]! : null;
}

/** Without the model's name, which Keras numbers anew. */
function nameOf({ path }: LayerRow): string {
  return path.split("/").at(-1)!;
}

/** What the layer is called with, where that is not the same. */
export function changes({ before, after }: Pair): Setting[] {
  return settings([before.row.arguments, after.row.arguments]).differing;
}

/** Whether something was done to the layer, or the finding is gone. */
export function isChanged(pair: Pair, finding: Finding): boolean {
  const { verdict } = pair.after.row;
  return changes(pair).length > 0 || (verdict !== "" && verdict !== finding.verdict);
}

/** The newest later run in which the layer of a finding is another; null where there is none. */
export async function findAfter(
  api: Pick<Api, "runs" | "layers">,
  before: RunSummary,
  finding: Finding,
): Promise<Pair | null> {
  const later = candidates(before, await api.runs(before.project));
  if (later.length === 0) return null;
  const answers = await Promise.all([before, ...later].map(({ id }) => api.layers(id)));
  const row = answers[0]!.rows.find(({ id }) => id === finding.row);
  if (row === undefined) return null;
  for (const [index, after] of later.entries()) {
    const other = counterpart(row, answers[index + 1]!.rows);
    if (other === null) continue;
    const pair = {
      before: { run: before, row },
      after: { run: after, row: other },
      byName: other.id !== row.id,
    };
    if (isChanged(pair, finding)) return pair;
  }
  return null;
}

/** Level, the term to blame, saturation and what the training came to, in both runs. */
export function linesOf({ before, after }: Pair, finding: Finding): Line[] {
  const guilty = GUILTY.get(finding.verdict);
  const shown = [
    ["pre_db", "Level"] as const,
    ...(guilty === undefined ? [] : [guilty]),
    ["saturation_rate", "Saturation"] as const,
  ];
  const measured = shown.flatMap(([id, title]): Line[] => {
    const values = [valueOf(before.row, id), valueOf(after.row, id)] as const;
    if (values.every((value) => value === null)) return [];
    const [was, is] = values.map((value) => formatStatistic(id, "", value));
    return [{ title, before: was!, after: is! }];
  });
  const names = Object.keys(before.run.logs).filter((name) => LOGS.test(name));
  const logs = names
    .filter((name) => name in after.run.logs)
    .sort((left, right) => Number(right === "loss") - Number(left === "loss"))
    .map((name) => ({
      title: name.replaceAll("_", " "),
      before: formatNumber(numberOf(before.run.logs[name])),
      after: formatNumber(numberOf(after.run.logs[name])),
    }));
  return [...measured, ...logs];
}

/** Where both runs stand side by side, with the layer chosen where both know it by one id. */
export function comparisonOf({ before, after, byName }: Pair): string {
  const path = comparePath([before.run.id, after.run.id]);
  return byName ? path : `${path}&${new URLSearchParams({ layer: before.row.id })}`;
}
