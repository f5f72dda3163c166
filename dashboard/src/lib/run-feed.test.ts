import { expect, it } from "vitest";
import { aFinding, aRun } from "../../tests/builders";
import { FakeEdges, settled } from "../../tests/fakes";
import { contract, recorded } from "../../tests/recorded";
import { type Api, ApiError, type Heat } from "./api";
import type { Finding } from "./contract";
import { RunFeed } from "./run-feed";

const NOTHING = new Float32Array();
const EMPTY: Heat = {
  rows: [],
  steps: [],
  min: NOTHING,
  max: NOTHING,
  last: NOTHING,
  downsampled: false,
  exists: () => false,
};

/** A server that notes what it was asked, and holds back what a test wants held back. */
class FakeApi {
  readonly asked: string[] = [];
  found: Finding[] = [];
  error: Error | null = null;
  heats = new Map<string, Promise<Heat>>();

  private answer<T>(name: string, value: T | Promise<T>): Promise<T> {
    this.asked.push(name);
    return this.error === null ? Promise.resolve(value) : Promise.reject(this.error);
  }

  run = () => this.answer("run", aRun());
  layers = () => this.answer("layers", { rows: [] });
  findings = () => this.answer("findings", this.found);
  heatmap = (_: string, statistic: string) =>
    this.answer(`heatmap ${statistic}`, this.heats.get(statistic) ?? EMPTY);
  series = (_: string, layer: string) => this.answer(`series ${layer}`, EMPTY);
  logs = (_: string, names: string[]) => this.answer(`logs ${names}`, EMPTY);

  taken(): string[] {
    return this.asked.splice(0);
  }
}

async function follow() {
  const server = new FakeApi();
  const edges = new FakeEdges();
  const feed = new RunFeed("run-1", server as unknown as Api, edges);
  edges.socket.opens();
  await settled();
  return { server, edges, feed };
}

it("fetches the run once, and nothing that is not shown", async () => {
  const { server, feed } = await follow();
  expect(server.taken()).toEqual(["run", "layers", "findings"]);
  expect(feed.loaded).toBe(true);
});

it("fetches once after a burst of findings", async () => {
  const { server, edges } = await follow();
  server.taken();
  for (let burst = 0; burst < 9; burst++) edges.socket.brings(recorded("finding"));
  await edges.pass(300);
  expect(server.taken()).toEqual(["run", "layers", "findings"]);
});

it("shows a finding as soon as the feed brings it", async () => {
  const { edges, feed } = await follow();
  edges.socket.brings(recorded("finding"));
  expect(feed.state.findings.map(({ verdict }) => verdict)).toEqual(["activity"]);
});

it("fetches all that is shown after a gap in the feed", async () => {
  const { server, edges, feed } = await follow();
  feed.showHeat("pre_db");
  feed.showSeries("lines", { layer: "r0", statistics: ["pre_db"] });
  await settled();
  server.taken();
  server.found = [aFinding()];
  edges.socket.breaks();
  await edges.pass(500);
  edges.socket.opens();
  await settled();
  expect(server.taken()).toEqual(["run", "layers", "findings", "heatmap pre_db", "series r0"]);
  expect(feed.state.findings).toEqual([aFinding()]);
});

it("drops the answer to a question that was given up", async () => {
  const { server, feed } = await follow();
  let late = (_: Heat): void => undefined;
  server.heats.set("pre_db", new Promise((resolve) => (late = resolve)));
  feed.showHeat("pre_db");
  feed.showHeat("gain_db");
  await settled();
  late({ ...EMPTY, rows: ["r0"] });
  await settled();
  expect(feed.state.heat!.lanes).toBe(0);
});

it("fetches every history anew for other steps, and once", async () => {
  const { server, feed } = await follow();
  feed.showHeat("pre_db");
  feed.showSeries("lines", { layer: "r0", statistics: ["pre_db"] });
  await settled();
  server.taken();
  feed.zoom({ from: 10, to: 20 });
  feed.zoom({ from: 10, to: 20 });
  await settled();
  expect(server.taken()).toEqual(["heatmap pre_db", "series r0"]);
  feed.hideSeries("lines");
  feed.zoom(null);
  await settled();
  expect(server.taken()).toEqual(["heatmap pre_db"]);
});

it("fetches the logs of the training only while they are shown", async () => {
  const { server, feed } = await follow();
  server.taken();
  feed.showSeries("training", { layer: null, statistics: ["loss", "accuracy"] });
  feed.zoom({ from: 10, to: 20 });
  await settled();
  expect(server.taken()).toEqual(["logs loss,accuracy", "logs loss,accuracy"]);
  feed.hideSeries("training");
  feed.zoom(null);
  await settled();
  expect(server.taken()).toEqual([]);
});

it("asks once for what a view says again and again", async () => {
  const { server, feed } = await follow();
  server.taken();
  for (let time = 0; time < 3; time++) feed.showSeries("lines", { layer: "r0", statistics: ["pre_db"] });
  feed.showSeries("lines", { layer: "r0", statistics: ["pre_db", "gain_db"] });
  await settled();
  expect(server.taken()).toEqual(["series r0", "series r0"]);
});

it("says why a run cannot be shown", async () => {
  const server = new FakeApi();
  server.error = new Error("No run 'run-1'.");
  const feed = new RunFeed("run-1", server as unknown as Api, new FakeEdges());
  await settled();
  expect([feed.loaded, feed.error?.message]).toEqual([false, "No run 'run-1'."]);
});

it("says that the run was deleted, and asks for nothing more of it", async () => {
  const { server, edges, feed } = await follow();
  server.taken();
  edges.socket.brings(contract("run_deleted"));
  await edges.pass(60_000);
  expect([feed.deleted, feed.error, edges.socket.closed, server.taken()]).toEqual([true, null, true, []]);
});

it("says that the run was deleted where it is no longer there after a gap in the feed", async () => {
  const { server, edges, feed } = await follow();
  server.error = new ApiError(404, "There is no run 'run-1'.");
  edges.socket.breaks();
  await edges.pass(1_000);
  edges.socket.opens();
  await settled();
  server.taken();
  await edges.pass(60_000);
  expect([feed.deleted, feed.error, server.taken()]).toEqual([true, null, []]);
});

it("asks for nothing once it is closed", async () => {
  const { server, edges, feed } = await follow();
  edges.socket.brings(recorded("finding"));
  feed.close();
  server.taken();
  await edges.pass(60_000);
  expect(server.taken()).toEqual([]);
});
