import { expect, it } from "vitest";
import type { Layout, Plan } from "./layout";
import { Layouter, type Thread } from "./layouter";

class FakeThread implements Thread {
  onmessage: Thread["onmessage"] = null;
  onerror: Thread["onerror"] = null;
  readonly plans: Plan[] = [];
  isAlive = true;

  postMessage(plan: Plan): void {
    this.plans.push(plan);
  }

  terminate(): void {
    this.isAlive = false;
  }

  answers(layout: Layout | null): void {
    this.onmessage?.({ data: layout } as MessageEvent);
  }
}

function opened(): { threads: FakeThread[]; layouter: Layouter } {
  const threads: FakeThread[] = [];
  const layouter = new Layouter(() => {
    threads.push(new FakeThread());
    return threads.at(-1)!;
  });
  return { threads, layouter };
}

const PLAN = {} as Plan;
const LAYOUT = { width: 1 } as Layout;

it("graphs are laid out one after the other in one thread", () => {
  const { threads, layouter } = opened();
  const done: unknown[] = [];
  for (let turn = 0; turn < 2; turn++) {
    layouter.layOut(PLAN, (layout) => done.push(layout));
    threads[0]!.answers(LAYOUT);
  }
  expect([threads.length, done]).toEqual([1, [LAYOUT, LAYOUT]]);
});

it("a newer graph ends the work on the one before, which is not answered", () => {
  const { threads, layouter } = opened();
  const done: string[] = [];
  layouter.layOut(PLAN, () => done.push("first"));
  layouter.layOut(PLAN, () => done.push("second"));
  threads[1]!.answers(LAYOUT);
  expect([threads[0]!.isAlive, done]).toEqual([false, ["second"]]);
});

it("a graph that is too large has no layout, and the next one has", () => {
  const { threads, layouter } = opened();
  const done: unknown[] = [];
  layouter.layOut(PLAN, (outcome) => done.push(outcome));
  threads[0]!.answers(null);
  layouter.layOut(PLAN, (outcome) => done.push(outcome));
  threads[0]!.answers(LAYOUT);
  expect(done).toEqual(["too large", LAYOUT]);
});

it("asks again after an error, in another thread", () => {
  const { threads, layouter } = opened();
  const done: unknown[] = [];
  layouter.layOut(PLAN, (outcome) => done.push(outcome));
  threads[0]!.onerror?.({} as ErrorEvent);
  layouter.layOut(PLAN, (outcome) => done.push(outcome));
  threads[1]!.answers(LAYOUT);
  expect([threads[0]!.isAlive, done]).toEqual([false, ["failed", LAYOUT]]);
});

it("nothing goes on once it is closed", () => {
  const { threads, layouter } = opened();
  layouter.layOut(PLAN, () => undefined);
  layouter.close();
  expect(threads[0]!.isAlive).toBe(false);
});

it("no thread is opened before there is a graph", () => {
  expect(opened().threads).toEqual([]);
});
