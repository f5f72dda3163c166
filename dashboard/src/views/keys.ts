/** Keys of a page as a whole, which work while the focus is anywhere in it. */

/** Whether a key is for the page: nobody types a text, and it is no shortcut of the browser's. */
export function isForPage(event: KeyboardEvent): boolean {
  if ((event.target as Element).closest("input, select, textarea") !== null || event.metaKey) return false;
  // Many keyboards have brackets only with AltGr, which Windows reports as Ctrl and Alt.
  return event.getModifierState("AltGraph") || !(event.ctrlKey || event.altKey);
}
