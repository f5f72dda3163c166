import { expect, it } from "vitest";
import { aRunSummary } from "../../tests/builders";
import { FakeEdges, settled } from "../../tests/fakes";
import { recorded } from "../../tests/recorded";
import type { Api } from "./api";
import type { RunSummary } from "./contract";
import { RunsFeed } from "./runs-feed";

/** A server that answers what `runs` is at the time, or with its `error`. */
class FakeApi {
  runs_: RunSummary[] = [];
  error: Error | null = null;
  asked = 0;

  runs = async (): Promise<RunSummary[]> => {
    this.asked++;
    if (this.error !== null) throw this.error;
    return this.runs_;
  };
}

async function follow() {
  const server = new FakeApi();
  const edges = new FakeEdges();
  const feed = new RunsFeed(server as unknown as Api, edges);
  edges.socket.opens();
  await settled();
  return { server, edges, feed };
}

it("shows a run soon after the feed mentions one", async () => {
  const { server, edges, feed } = await follow();
  expect(feed.runs).toEqual([]);
  server.runs_ = [aRunSummary()];
  edges.socket.brings(recorded("schema"));
  await edges.pass(500);
  expect(feed.runs).toEqual([aRunSummary()]);
});

it("asks once for many messages", async () => {
  const { server, edges } = await follow();
  for (let message = 0; message < 50; message++) edges.socket.brings(recorded("finding"));
  await edges.pass(500);
  expect(server.asked).toBe(2);
});

it("asks in time although messages never pause", async () => {
  const { server, edges } = await follow();
  for (let message = 0; message < 20; message++) {
    edges.socket.brings(recorded("finding"));
    await edges.pass(100);
  }
  expect(server.asked).toBe(5);
});

it("asks again by itself, since a run that falls silent sends nothing", async () => {
  const { server, edges } = await follow();
  await edges.pass(15_000);
  expect(server.asked).toBe(4);
});

it("asks the less often the longer the list is", async () => {
  const { server, edges } = await follow();
  server.runs_ = Array.from({ length: 20_000 }, (_, index) => aRunSummary({ id: `r${index}` }));
  await edges.pass(5_000);
  edges.socket.brings(recorded("finding"));
  await edges.pass(19_999);
  expect(server.asked).toBe(2);
  await edges.pass(1);
  expect(server.asked).toBe(3);
});

it("lets go of a run that was deleted before it asks again", async () => {
  const { server, edges, feed } = await follow();
  server.runs_ = [aRunSummary({ id: "a" }), aRunSummary({ id: "b" })];
  await edges.pass(5_000);
  feed.drop("a");
  expect(feed.runs!.map(({ id }) => id)).toEqual(["b"]);
});

it("keeps the list while the server is away, and is whole again with it", async () => {
  const { server, edges, feed } = await follow();
  server.runs_ = [aRunSummary()];
  await edges.pass(5_000);
  server.error = new Error("The server cannot be reached.");
  edges.socket.breaks();
  await edges.pass(5_000);
  expect([feed.connection, feed.error?.message, feed.runs?.length]).toEqual([
    "disconnected",
    "The server cannot be reached.",
    1,
  ]);
  server.error = null;
  edges.socket.opens();
  edges.socket.confirms();
  await edges.pass(0);
  expect([feed.connection, feed.error]).toEqual(["open", null]);
});

it("asks for nothing once it is closed", async () => {
  const { server, edges, feed } = await follow();
  feed.close();
  await edges.pass(60_000);
  expect(server.asked).toBe(1);
});
