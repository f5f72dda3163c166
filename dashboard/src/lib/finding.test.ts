import { expect, it } from "vitest";
import { aFinding } from "../../tests/builders";
import { adviceOf, headOf, isOpen, placed } from "./finding";

it("is open until it was closed, be it at step 0", () => {
  expect([null, 0, 90].map((closed_step) => isOpen(aFinding({ closed_step })))).toEqual([
    true,
    false,
    false,
  ]);
});

it("stands before those that matter less", () => {
  const inOrder = [
    aFinding({ id: "critical", severity: "critical", since_step: 900 }),
    aFinding({ id: "warning since 10", since_step: 10 }),
    aFinding({ id: "warning since 20, a", since_step: 20 }),
    aFinding({ id: "warning since 20, b", since_step: 20 }),
    aFinding({ id: "info", severity: "info", since_step: 1 }),
    aFinding({ id: "over", severity: "critical", since_step: 1, closed_step: 5 }),
  ];
  expect([...inOrder].reverse().sort(placed)).toEqual(inOrder);
});

it("leaves out of a remedy what the alternatives say themselves", () => {
  const reason = "A kernel penalty would shrink every weight.";
  const finding = aFinding({
    remedy: `Penalise the output. ${reason} So much for that.`,
    alternatives: [{ name: "kernel penalty", reason }],
  });
  expect(adviceOf(finding)).toBe("Penalise the output. So much for that.");
});

it("finds the first sentence of an advice", () => {
  expect(headOf("Use `keras.layers.Dense` with 2.5. The rest.")).toEqual([
    "Use `keras.layers.Dense` with 2.5.",
    "The rest.",
  ]);
  expect(headOf("Only this.")).toEqual(["Only this.", ""]);
  expect(headOf("")).toEqual(["", ""]);
});
