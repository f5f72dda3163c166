/** The workers that train a model together, and what of their attempts is no longer part of the run. */

import type { RunDetail } from "./contract";
import { formatCount } from "./number";

// One writer per worker, and the chief's frames are the run's.
export const CHIEF = 0;

/** Whose past is shown: a worker's line of steps, or what one of its attempts did from a step on. */
export interface Past {
  worker: number;
  branch: { attempt: string; from: number } | null;
}

export type Worker = RunDetail["workers"][number];
export type Attempt = RunDetail["attempts"][number];
/** An attempt of which some steps are no longer part of the run. */
export type Branch = Attempt & { abandoned: NonNullable<Attempt["abandoned"]> };

/** The worker that an address names, if the run has it; else the chief. */
export function workerOf(named: string | null, workers: readonly Worker[]): number {
  return workers.find(({ worker }) => String(worker) === named)?.worker ?? CHIEF;
}

/** Those first that are lost or behind, else in order of their numbers. */
export function standingOut(workers: readonly Worker[]): Worker[] {
  const calm = ({ status }: Worker) => Number(status === "live" || status === "ended");
  return [...workers].sort((left, right) => calm(left) - calm(right));
}

/** A worker's branches, oldest first. */
export function branchesOf(attempts: readonly Attempt[], worker: number): Branch[] {
  return attempts.filter((one): one is Branch => one.worker === worker && one.abandoned !== null);
}

/** How far a worker is from the chief; empty for the chief itself and where nothing is known. */
export function lagText({ worker, behind }: Worker): string {
  if (worker === CHIEF || behind === null) return "";
  if (behind === 0) return "level with the chief";
  const steps = Math.abs(behind);
  return `${formatCount(steps)} ${steps === 1 ? "step" : "steps"} ${behind > 0 ? "behind" : "ahead"}`;
}

/** What was abandoned, in words. */
export function abandonedText({ abandoned: { from, to } }: Branch): string {
  const steps = from === to ? `Step ${formatCount(from)} was` : `Steps ${formatCount(from)} to ${formatCount(to)} were`;
  return `${steps} abandoned when the run went on from an earlier step.`;
}
