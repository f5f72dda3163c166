/** The steps that are shown, as the address keeps them. */

import type { Window } from "../lib/run-state";
import { router } from "./router.svelte";

/** The steps of the address; null: all, and those to come. */
export function shownSteps(): Window {
  const [from, to] = ["from", "to"].map((name) => Number(router.parameter(name) ?? NaN)) as [number, number];
  return from >= 0 && to > from ? { from, to } : null;
}

/** How the address names them. */
export function asParameters(window: Window): { from: string | null; to: string | null } {
  return window === null ? { from: null, to: null } : { from: String(window.from), to: String(window.to) };
}

export function showSteps(window: Window): void {
  router.chooseAll(asParameters(window));
}
