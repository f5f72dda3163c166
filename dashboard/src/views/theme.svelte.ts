/** The colours that canvases draw with; they change with the system's light and dark. */

import { createSubscriber } from "svelte/reactivity";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
/** What was looked up since the theme changed: asking for a computed style costs a layout. */
const known = new Map<string, string>();

// Before any view hears of it, and asks anew.
dark.addEventListener("change", () => known.clear());

/** Ties what reads it to changes of the theme, and of the screen's resolution. */
export const themeChanges = createSubscriber((update) => {
  dark.addEventListener("change", update);
  window.addEventListener("resize", update);
  return () => {
    dark.removeEventListener("change", update);
    window.removeEventListener("resize", update);
  };
});

export function isDark(): boolean {
  return dark.matches;
}

export function colour(name: string): string {
  let found = known.get(name);
  if (found === undefined) {
    found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    known.set(name, found);
  }
  return found;
}
