/** The steps from the left end of a drawing to its right end. */

import type { Window } from "./run-state";

export interface Axis {
  from: number;
  to: number;
}

/** What is drawn of something that has steps. */
interface Steps {
  firstStep: number;
  lastStep: number;
}

// Of the span that a growing axis has, it is lengthened by this share at a time or by less: so
// seldom everything is painted anew, and so little room is empty meanwhile.
const EXTENSION = 1 / 8;

/**
 * The axis of `shown`.
 *
 * @param window Steps that the reader chose; null: all.
 * @param growing Whether more steps will come, for which there is to be room.
 */
export function axisOf(shown: Steps, window: Window, growing: boolean): Axis {
  if (window !== null) return window;
  const { firstStep: from, lastStep: last } = shown;
  const span = last - from;
  if (!growing || span <= 0) return { from, to: last };
  const unit = Math.max(1, 2 ** Math.floor(Math.log2(span)) * EXTENSION);
  return { from, to: from + Math.ceil(span / unit) * unit };
}

/** Where a step lies, in pixels from the left; an axis of one step has it in the middle. */
export function xOf({ from, to }: Axis, step: number, width: number): number {
  return to <= from ? width / 2 : ((step - from) / (to - from)) * width;
}

/** The step at `x` pixels from the left. */
export function stepAt({ from, to }: Axis, x: number, width: number): number {
  return from + (x / width) * (to - from);
}

/** Steps around `middle`, `factor` times as many as now, within what there is. */
export function zoomed(axis: Axis, all: Axis, middle: number, factor: number): Window {
  const span = (axis.to - axis.from) * factor;
  if (span >= all.to - all.from) return null;
  const share = axis.to > axis.from ? (middle - axis.from) / (axis.to - axis.from) : 0.5;
  const from = Math.min(Math.max(middle - share * span, all.from), all.to - span);
  return stepsBetween(from, from + span);
}

/** A window of whole steps, two at least. */
export function stepsBetween(one: number, other: number): { from: number; to: number } {
  const from = Math.max(0, Math.round(Math.min(one, other)));
  return { from, to: Math.max(from + 1, Math.round(Math.max(one, other))) };
}
