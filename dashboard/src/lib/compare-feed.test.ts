import { expect, it } from "vitest";
import { aLayerRow, aRun } from "../../tests/builders";
import { FakeEdges, settled } from "../../tests/fakes";
import { type Api, ApiError } from "./api";
import { isMissing } from "./compare";
import { CompareFeed } from "./compare-feed";
import type { LayersAnswer, RunDetail } from "./contract";
import type { History } from "./rollup";

/** A server of the runs "a" and "b", which share the row "r0", and of no other. */
class FakeApi {
  readonly asked: string[] = [];
  runs = new Map([
    ["a", aRun({ id: "a", status: "ended", logs: { loss: 0.5 } })],
    ["b", aRun({ id: "b", status: "live" })],
  ]);
  late: Promise<void> | null = null;
  error: Error | null = null;

  run = async (run: string): Promise<RunDetail> => {
    this.asked.push(`run ${run}`);
    const found = this.runs.get(run);
    if (found === undefined) throw new ApiError(404, `There is no run '${run}'.`);
    return found;
  };

  layers = async (run: string): Promise<LayersAnswer> => {
    this.asked.push(`layers ${run}`);
    const own = run === "a" ? { pre_db: 1, gain_db: 2 } : { pre_db: 3 };
    return { rows: [aLayerRow({ id: "r0", values: own })] } as unknown as LayersAnswer;
  };

  series = async (run: string, layer: string, ids: string[], _: number, window: unknown) => {
    this.asked.push(`series ${run} ${layer} ${ids} ${JSON.stringify(window)}`);
    await this.late;
    if (this.error !== null) throw this.error;
    const values = Float32Array.of(1);
    const answer = { steps: [10], min: values, max: values, last: values };
    return { ...answer, downsampled: false, exists: () => true } satisfies History;
  };

  logs = (run: string, names: string[], points: number, window: unknown) =>
    this.series(run, "logs", names, points, window);

  taken(): string[] {
    return this.asked.splice(0);
  }
}

async function compare(...runs: string[]) {
  const server = new FakeApi();
  const edges = new FakeEdges();
  const feed = new CompareFeed(runs, server as unknown as Api, edges);
  await settled();
  return { server, edges, feed };
}

it("keeps the runs that are there when one is not", async () => {
  const { feed } = await compare("a", "gone", "b");
  expect(feed.sides.map(({ detail, error }) => detail?.id ?? error?.message)).toEqual([
    "a",
    "There is no run 'gone'.",
    "b",
  ]);
  expect(feed.settled).toBe(true);
});

it("asks for the series of the runs that have the row and the statistic", async () => {
  const { server, feed } = await compare("a", "b");
  server.taken();
  feed.show("r0", "gain_db", { from: 1, to: 5 });
  await settled();
  expect(server.taken()).toEqual(['series a r0 gain_db {"from":1,"to":5}']);
  expect([...feed.series.keys()]).toEqual(["a"]);
});

it("asks for a log of the runs that logged it", async () => {
  const { server, feed } = await compare("a", "b");
  server.taken();
  feed.show(null, "loss", null);
  await settled();
  expect(server.taken()).toEqual(["series a logs loss null"]);
  expect([...feed.series.keys()]).toEqual(["a"]);
  feed.show(null, "constructor", null);
  await settled();
  expect(server.taken()).toEqual([]);
});

it("asks for what is shown as soon as a run is known", async () => {
  const server = new FakeApi();
  const feed = new CompareFeed(["a"], server as unknown as Api, new FakeEdges());
  feed.show("r0", "pre_db", null);
  await settled();
  expect(server.taken()).toEqual(["run a", "layers a", "series a r0 pre_db null"]);
});

it("drops the answer to a question that was given up", async () => {
  const { server, feed } = await compare("a", "b");
  let arrive = (): void => undefined;
  server.late = new Promise((resolve) => (arrive = resolve));
  feed.show("r0", "pre_db", null);
  server.late = null;
  feed.show("r9", "pre_db", null);
  arrive();
  await settled();
  expect(feed.series.size).toBe(0);
});

it("asks a run one question at a time, and of those that came meanwhile the newest", async () => {
  const { server, feed } = await compare("b");
  let arrive = (): void => undefined;
  server.late = new Promise((resolve) => (arrive = resolve));
  server.taken();
  for (const to of [10, 20, 30]) {
    feed.show("r0", "pre_db", { from: 0, to });
    await settled();
  }
  expect(server.taken()).toEqual(['series b r0 pre_db {"from":0,"to":10}']);
  arrive();
  await settled();
  expect(server.taken()).toEqual(['series b r0 pre_db {"from":0,"to":30}']);
  expect([...feed.series.keys()]).toEqual(["b"]);
});

it("asks again for a run that goes on, and for its rows once it has", async () => {
  const { server, edges, feed } = await compare("a", "b", "gone");
  feed.show("r0", "pre_db", null);
  await settled();
  server.taken();
  await edges.pass(10_000);
  expect(server.taken()).toEqual(["run b"]);
  server.runs.set("b", aRun({ id: "b", status: "live", step: 99 }));
  await edges.pass(10_000);
  expect(server.taken()).toEqual(["run b", "layers b", "series b r0 pre_db null"]);
});

it("says what failed, and is whole again with the server", async () => {
  const { server, edges, feed } = await compare("a");
  server.error = new Error("The server cannot be reached.");
  feed.show("r0", "pre_db", null);
  await settled();
  expect([feed.failed.get("a")?.message, feed.sides[0]!.error, feed.series.size]).toEqual([
    "The server cannot be reached.",
    null,
    0,
  ]);
  server.error = null;
  await edges.pass(10_000);
  expect([feed.failed.size, feed.series.size]).toEqual([0, 1]);
});

it("keeps and refreshes a run whose layer is not there", async () => {
  const { server, edges, feed } = await compare("b");
  server.error = new ApiError(404, "There is no layer 'r0'.");
  feed.show("r0", "pre_db", null);
  await settled();
  server.taken();
  await edges.pass(10_000);
  expect(feed.sides[0]!.error).toBe(null);
  expect(server.taken()).toEqual(["run b", "series b r0 pre_db null"]);
});

it("goes on asking for a run that was there", async () => {
  const { server, edges, feed } = await compare("b");
  server.runs.delete("b");
  await edges.pass(10_000);
  expect(isMissing(feed.sides[0]!)).toBe(false);
  server.taken();
  await edges.pass(10_000);
  expect(server.taken()).toEqual(["run b"]);
});

it("does not ask for a run that it still waits for", async () => {
  const { server, edges, feed } = await compare("b");
  let arrive = (): void => undefined;
  server.late = new Promise((resolve) => (arrive = resolve));
  feed.show("r0", "pre_db", null);
  server.runs.set("b", aRun({ id: "b", status: "live", step: 99 }));
  await edges.pass(10_000);
  server.taken();
  await edges.pass(20_000);
  expect(server.taken()).toEqual([]);
  arrive();
  await settled();
  await edges.pass(10_000);
  expect(server.taken()).toEqual(["run b"]);
});

it("asks for nothing once it is closed", async () => {
  const { server, edges, feed } = await compare("a", "b");
  server.taken();
  feed.close();
  await edges.pass(60_000);
  expect(server.taken()).toEqual([]);
});
