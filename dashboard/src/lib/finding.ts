/** Findings in the order in which they matter. */

import type { Finding, Severity } from "./contract";

const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

export function isOpen(finding: Finding): boolean {
  return finding.closed_step === null;
}

/** Whether it is somebody's to look at: open, and not muted. */
export function isActive(finding: Finding): boolean {
  return isOpen(finding) && finding.mark?.state !== "muted";
}

/** Active ones first, then open ones that are muted, the severest of them first, of these the oldest, which may cause the others. */
export function placed(left: Finding, right: Finding): number {
  return (
    Number(isActive(right)) - Number(isActive(left)) ||
    Number(isOpen(right)) - Number(isOpen(left)) ||
    SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity) ||
    left.since_step - right.since_step ||
    (left.id < right.id ? -1 : 1)
  );
}

/** What to do, without the reasons that the alternatives give themselves. */
export function adviceOf({ remedy, alternatives }: Finding): string {
  const advice = alternatives.reduce((text, { reason }) => text.replace(reason, ""), remedy);
  return advice.replace(/\s+/g, " ").trim();
}

/** The first sentence, and what follows it. */
export function headOf(text: string): [head: string, rest: string] {
  // Behind a point of "2.5" or of "keras.layers" no space follows, behind one of "e.g." no capital.
  const end = /\.(?= [A-Z])/.exec(text)?.index ?? text.length - 1;
  return [text.slice(0, end + 1), text.slice(end + 1).trim()];
}
