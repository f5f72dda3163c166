import { expect, it } from "vitest";
import { isForPage } from "./keys";

function pressed(held: readonly string[], within = "section"): KeyboardEvent {
  return {
    target: { closest: (selector: string) => (selector.split(", ").includes(within) ? {} : null) },
    ctrlKey: held.includes("Control"),
    altKey: held.includes("Alt"),
    metaKey: held.includes("Meta"),
    getModifierState: (key: string) => held.includes(key),
  } as unknown as KeyboardEvent;
}

it.each([
  [[], true],
  [["Control", "Alt", "AltGraph"], true],
  [["Control"], false],
  [["Alt"], false],
  [["Meta"], false],
])("with %j held a key is for the page: %s", (held, isMeant) => {
  expect(isForPage(pressed(held))).toBe(isMeant);
});

it("leaves what is typed to the field", () => {
  expect(isForPage(pressed([], "input"))).toBe(false);
});
