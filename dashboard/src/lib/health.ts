/** How a layer is, or several of them that are shown as one. */

import type { Finding } from "./contract";
import { isActive, isOpen, placed } from "./finding";
import type { RunState } from "./run-state";
import { type Look, lookOf } from "./verdict";

export interface Health extends Look {
  verdict: string;
  /** How many of the layers have open findings that are not muted. */
  findings: number;
}

/** The severest open finding of each row that has one, by the row's id. */
export function openFindings(run: RunState): Map<string, Finding> {
  const found = new Map<string, Finding>();
  // They are in the order in which they matter.
  for (const finding of run.findings) {
    if (isOpen(finding) && !found.has(finding.row)) found.set(finding.row, finding);
  }
  return found;
}

/** How the worst of the channels from one to before another is. */
export function healthOf(
  run: RunState,
  open: ReadonlyMap<string, Finding>,
  from: number,
  to: number,
): Health {
  let [findings, isHealthy, isBroken] = [0, false, false];
  let worst: Finding | undefined;
  for (let channel = from; channel < to; channel++) {
    const id = run.desk.channels[channel]?.id ?? "";
    const finding = open.get(id);
    if (finding === undefined) {
      isHealthy ||= run.verdictOf(id) === "healthy";
      isBroken ||= run.desk.isBroken(channel);
    } else {
      if (isActive(finding)) findings += 1;
      if (worst === undefined || placed(finding, worst) < 0) worst = finding;
    }
  }
  const verdict = worst?.verdict ?? (isHealthy && !isBroken ? "healthy" : "");
  return { ...lookOf(verdict, worst?.severity), verdict, findings };
}
