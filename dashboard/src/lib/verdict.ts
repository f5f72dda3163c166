/** How a verdict and a status are called and drawn; always a sign and a word, never colour alone. */

import type { Severity } from "./contract";

export interface Look {
  title: string;
  sign: string;
  tone: Severity | "ok" | "quiet";
}

const LOOKS: ReadonlyMap<string, Look> = new Map<string, Look>([
  ["", { title: "not judged", sign: "·", tone: "quiet" }],
  ["healthy", { title: "healthy", sign: "✓", tone: "ok" }],
  ["nonfinite", { title: "non-finite", sign: "∞", tone: "critical" }],
  ["activity", { title: "activity", sign: "▲", tone: "warning" }],
  ["kernel", { title: "kernel", sign: "◆", tone: "warning" }],
  ["input", { title: "input", sign: "▶", tone: "warning" }],
  ["bias", { title: "bias", sign: "■", tone: "warning" }],
  ["over_regularized", { title: "over-regularized", sign: "▽", tone: "warning" }],
  ["dead", { title: "dead", sign: "○", tone: "warning" }],
  ["exploding", { title: "exploding", sign: "↗", tone: "warning" }],
  ["vanishing", { title: "vanishing", sign: "↘", tone: "warning" }],
  ["untrained", { title: "untrained", sign: "=", tone: "warning" }],
]);

/** The look of a verdict; one that a newer server knows is shown by its own name. */
export function lookOf(verdict: string, severity?: Severity): Look {
  const look = LOOKS.get(verdict) ?? { title: verdict, sign: "!", tone: "warning" };
  return severity === undefined ? look : { ...look, tone: severity };
}
