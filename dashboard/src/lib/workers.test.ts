import { expect, test } from "vitest";
import { aBranch, aWorker } from "../../tests/builders";
import { abandonedText, branchesOf, lagText, standingOut, workerOf } from "./workers";

test("a worker that the address names is shown, and the chief where there is none like it", () => {
  const workers = [aWorker(), aWorker({ worker: 3 })];

  expect(workerOf("3", workers)).toBe(3);
  expect(workerOf("2", workers)).toBe(0);
  expect(workerOf("3.0", workers)).toBe(0);
  expect(workerOf(null, workers)).toBe(0);
});

test("workers that are lost or behind come first", () => {
  const statuses = ["live", "ended", "behind", "live", "lost"] as const;
  const workers = statuses.map((status, worker) => aWorker({ worker, status }));

  expect(standingOut(workers).map(({ worker }) => worker)).toEqual([2, 4, 0, 1, 3]);
});

test("branches are a worker's own", () => {
  const whole = aBranch({ attempt: "a2", abandoned: null });
  const chief = aBranch({ attempt: "a1" });
  const other = aBranch({ attempt: "b1", worker: 1 });

  expect(branchesOf([chief, whole, other], 0)).toEqual([chief]);
  expect(branchesOf([chief, whole, other], 1)).toEqual([other]);
});

test.each([
  [1, 1, "1 step behind"],
  [1, 1_200, "1,200 steps behind"],
  [1, -20, "20 steps ahead"],
  [1, 0, "level with the chief"],
  [1, null, ""],
  [0, 0, ""],
])("worker %i that is behind by %o is said to be %o", (worker, behind, text) => {
  expect(lagText(aWorker({ worker, behind }))).toBe(text);
});

test("what was abandoned is said in words", () => {
  const of = (from: number, to: number) => aBranch({ abandoned: { from, to, by: "a2" } });
  const [several, one] = [of(1_200, 1_300), of(7, 7)].map((branch) => branchesOf([branch], 0)[0]!);

  expect(abandonedText(several!)).toBe("Steps 1,200 to 1,300 were abandoned when the run went on from an earlier step.");
  expect(abandonedText(one!)).toBe("Step 7 was abandoned when the run went on from an earlier step.");
});
