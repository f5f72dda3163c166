import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lookOf } from "./verdict";

const FINDING_PY = join(import.meta.dirname, "../../../monitor/gainstage/finding.py");
const verdicts = [...readFileSync(FINDING_PY, "utf8").matchAll(/ {4}Verdict\("(\w+)"/g)].map(
  (match) => match[1]!,
);

it("has a sign of its own for every verdict that the library knows", () => {
  expect(verdicts).toContain("activity");
  const signs = verdicts.map((verdict) => lookOf(verdict).sign);
  expect(new Set(signs).size).toBe(verdicts.length);
  expect(signs).not.toContain(lookOf("something new").sign);
});

it("shows a verdict of a newer server by its own name", () => {
  expect(lookOf("something new")).toEqual({ title: "something new", sign: "!", tone: "warning" });
});

it("is as severe as its finding says", () => {
  expect(lookOf("activity", "critical").tone).toBe("critical");
});

it("is quiet where nothing was judged", () => {
  expect(lookOf("").tone).toBe("quiet");
});

it.each(["constructor", "__proto__"])("does not take %s for a verdict", (name) => {
  expect(lookOf(name).title).toBe(name);
});
