import { expect, it } from "vitest";
import { FakeEdges, settled } from "../../tests/fakes";
import type { Api, UnitMap } from "./api";
import type { Window } from "./run-state";
import { UnitFeed } from "./unit-feed";

/** A server that answers when a test lets it: each map has as many units as questions were asked. */
class FakeApi {
  readonly asked: string[] = [];
  private readonly open: [(map: UnitMap) => void, (error: Error) => void, UnitMap][] = [];

  units = (_: string, layer: string, __: number, window: Window): Promise<UnitMap> => {
    this.asked.push(`${layer} ${JSON.stringify(window)}`);
    const map = { units: this.asked.length } as UnitMap;
    return new Promise((answer, fail) => this.open.push([answer, fail, map]));
  };

  async answers(): Promise<void> {
    const [answer, , map] = this.open.shift()!;
    answer(map);
    await settled();
  }

  async fails(): Promise<void> {
    this.open.shift()![1](new Error("The server cannot be reached."));
    await settled();
  }
}

function follow() {
  const server = new FakeApi();
  const edges = new FakeEdges();
  const state: { step: number | null } = { step: 1 };
  const feed = new UnitFeed("run-1", "r0", state, server as unknown as Api, edges);
  return { server, edges, state, feed };
}

const WINDOW = { from: 1, to: 5 };

it("asks for one map at a time, however long an answer takes", async () => {
  const { server, edges, state, feed } = follow();
  feed.show(null);
  state.step = 2;
  await edges.pass(60_000);
  feed.show(WINDOW);
  expect(server.asked).toEqual(["r0 null"]);
});

it("shows the steps that were chosen last, and drops what was asked before", async () => {
  const { server, feed } = follow();
  const shown: unknown[] = [];
  feed.watch(() => shown.push(feed.map?.units));
  feed.show(null);
  feed.show({ from: 2, to: 3 });
  feed.show(WINDOW);
  await server.answers();
  await server.answers();
  expect(server.asked).toEqual(["r0 null", 'r0 {"from":1,"to":5}']);
  expect(shown).toEqual([2]);
});

it("asks again once the run has gone on, and not before", async () => {
  const { server, edges, state, feed } = follow();
  feed.show(null);
  await server.answers();
  await edges.pass(20_000);
  expect(server.asked.length).toBe(1);
  state.step = 2;
  await edges.pass(10_000);
  await server.answers();
  expect([server.asked.length, feed.map?.units]).toEqual([2, 2]);
});

it("keeps the last map beside an error, and asks again although the run has ended", async () => {
  const { server, edges, feed } = follow();
  feed.show(null);
  await server.answers();
  feed.show(WINDOW);
  await server.fails();
  expect([feed.map?.units, feed.error?.message]).toEqual([1, "The server cannot be reached."]);
  await edges.pass(10_000);
  await server.answers();
  expect([feed.map?.units, feed.error]).toEqual([3, null]);
});

it("asks for nothing once it is closed", async () => {
  const { server, edges, state, feed } = follow();
  feed.show(null);
  feed.close();
  await server.answers();
  state.step = 2;
  feed.show(WINDOW);
  await edges.pass(60_000);
  expect(server.asked.length).toBe(1);
});
