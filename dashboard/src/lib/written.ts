/** What a trainer says that something is set to, as one line of text. */

import { pythonNumber } from "./python";

/** How Keras's own objects arrive: their class, and what it was called with. */
interface Made {
  class: string;
  arguments?: Readonly<Record<string, unknown>>;
}

export function isMade(value: unknown): value is Made {
  return isMap(value) && typeof value["class"] === "string";
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function written(value: unknown): string {
  if (typeof value === "string") return value;
  // What was a float32 has no more digits than these.
  if (typeof value === "number") return pythonNumber(value, 7);
  if (!isMade(value)) return JSON.stringify(value) ?? "";
  const given = Object.entries(value.arguments ?? {}).map(
    ([name, one]) => `${name}=${written(one)}`,
  );
  return `${value.class.split(".").at(-1)}(${given.join(", ")})`;
}
