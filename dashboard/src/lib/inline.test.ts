import { expect, it } from "vitest";
import { pieces } from "./inline";

it("tells code from prose", () => {
  expect(pieces("Split `Dense` in two.")).toEqual([
    { text: "Split ", code: false },
    { text: "Dense", code: true },
    { text: " in two.", code: false },
  ]);
});

it("takes a backtick without a partner for a character", () => {
  expect(pieces("a `b` c ` d")).toEqual([
    { text: "a ", code: false },
    { text: "b", code: true },
    { text: " c ` d", code: false },
  ]);
  expect(pieces("`")).toEqual([{ text: "`", code: false }]);
});

it("leaves markup the text that it is", () => {
  expect(pieces("<b>x</b>")).toEqual([{ text: "<b>x</b>", code: false }]);
});

it("keeps a number and its unit on one line", () => {
  expect(pieces("input -14 dB, 3 dBs")).toEqual([{ text: "input -14\u202fdB, 3 dBs", code: false }]);
});

it("has nothing to show of nothing", () => {
  expect(pieces("")).toEqual([]);
});
