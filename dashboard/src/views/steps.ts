/** The steps that are shown, as the address keeps them. */

import type { Window } from "../lib/run-state";
import { router } from "./router.svelte";

/** @param window null: all steps, and those to come. */
export function showSteps(window: Window): void {
  const [from, to] = window === null ? [null, null] : [String(window.from), String(window.to)];
  router.chooseAll({ from, to });
}
