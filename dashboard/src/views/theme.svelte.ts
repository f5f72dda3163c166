/** The colours that canvases draw with; they change with the system's light and dark. */

import { createSubscriber } from "svelte/reactivity";

const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Ties what reads it to changes of the theme, and of the screen's resolution. */
export const themeChanges = createSubscriber((update) => {
  dark.addEventListener("change", update);
  window.addEventListener("resize", update);
  return () => {
    dark.removeEventListener("change", update);
    window.removeEventListener("resize", update);
  };
});

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
