/** Findings in the order in which they matter. */

import type { Finding, Severity } from "./contract";

const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

export function isOpen(finding: Finding): boolean {
  return finding.closed_step === null;
}

/** Open ones first, the severest of them first, of these the oldest, which may cause the others. */
export function placed(left: Finding, right: Finding): number {
  return (
    Number(isOpen(right)) - Number(isOpen(left)) ||
    SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity) ||
    left.since_step - right.since_step ||
    (left.id < right.id ? -1 : 1)
  );
}
