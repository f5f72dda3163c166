import { expect, it } from "vitest";
import { diffOf } from "./diff";

function written(before: string, after: string): string[] {
  const signs = { kept: " ", added: "+", removed: "-" };
  return diffOf(before, after).map(({ kind, line }) => signs[kind] + line);
}

it("shows what goes, what comes and what stays", () => {
  expect(written("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n")).toEqual([" a", "-b", "+B", " c", " d", "+e"]);
});

it("has nothing but additions where there was nothing", () => {
  expect(written("", "a\nb")).toEqual(["+a", "+b"]);
  expect(written("a\n", "")).toEqual(["-a"]);
});

it("of two texts without a line in common shows the old one first", () => {
  expect(written("a\nb\n", "c\nd\n")).toEqual(["-a", "-b", "+c", "+d"]);
});

it("together its kept and added lines are the patch, whatever was before", () => {
  const texts = ["x\ny\nx\n", "y\nx\ny\ny\n", "", "x\n", "z\nx\nz\ny\nx\nz\n"];
  for (const before of texts) {
    for (const after of texts) {
      const changes = diffOf(before, after);
      const side = (gone: string) => changes.filter(({ kind }) => kind !== gone).map(({ line }) => `${line}\n`).join("");
      expect([side("added"), side("removed")]).toEqual([before, after]);
    }
  }
});
