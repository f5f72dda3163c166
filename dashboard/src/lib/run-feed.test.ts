import { expect, it } from "vitest";
import { aFinding, aFrame, aRow, aRun, aSchema } from "../../tests/builders";
import { FakeEdges, settled, written } from "../../tests/fakes";
import { contract, recorded } from "../../tests/recorded";
import { type Api, ApiError, type Heat } from "./api";
import type { Finding } from "./contract";
import { READ } from "./desk";
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
  series = (...[, layer, , , , past]: Parameters<Api["series"]>) =>
    this.answer(`series ${layer}${past === undefined ? "" : ` of worker ${past.worker}`}`, EMPTY);
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
  edges.socket.confirms();
  await settled();
  return { server, edges, feed };
}

/** The server tells of the statistics that are shown now. */
async function confirmed(edges: FakeEdges): Promise<void> {
  await settled();
  edges.socket.confirms();
  await settled();
}

const LINES = { layer: "r0", statistics: ["pre_db"] };

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
  expect(server.taken()).toEqual(["run", "findings"]);
});

it("shows a finding as soon as the feed brings it", async () => {
  const { edges, feed } = await follow();
  edges.socket.brings(recorded("finding"));
  expect(feed.state.findings.map(({ verdict }) => verdict)).toEqual(["activity"]);
});

it("has the feed bring what is shown, beside what every strip reads, and asks for the past once it does", async () => {
  const { server, edges, feed } = await follow();
  server.taken();
  feed.showHeat("dead_units");
  feed.showSeries("lines", { layer: "r0", statistics: ["kernel_rms", "pre_db"] });
  feed.showSeries("training", { layer: null, statistics: ["loss"] });
  await settled();
  expect(server.taken()).toEqual([]);
  const { statistics } = edges.socket.sent.at(-1)!;
  expect([...READ, "dead_units", "kernel_rms"].every((id) => statistics.includes(id))).toBe(true);
  expect(statistics).toHaveLength(READ.length + 2);
  await confirmed(edges);
  expect(server.taken()).toEqual(["heatmap dead_units", "series r0", "logs loss"]);
});

it("asks for the past at once where the feed brings its statistics anyway", async () => {
  const { server, feed } = await follow();
  server.taken();
  feed.showHeat("pre_db");
  await settled();
  expect(server.taken()).toEqual(["heatmap pre_db"]);
});

it("asks for the past without a feed, and again once there is one", async () => {
  const server = new FakeApi();
  const edges = new FakeEdges();
  const feed = new RunFeed("run-1", server as unknown as Api, edges);
  await settled();
  server.taken();
  feed.showHeat("dead_units");
  feed.showSeries("lines", LINES);
  await settled();
  expect(server.taken()).toEqual(["heatmap dead_units", "series r0"]);
  edges.socket.opens();
  await settled();
  expect(server.taken()).toEqual([]);
  await confirmed(edges);
  expect(server.taken()).toEqual(["heatmap dead_units", "series r0"]);
});

it("does not wait for a feed that breaks before it brings what is shown", async () => {
  const { server, edges, feed } = await follow();
  server.taken();
  feed.showHeat("dead_units");
  await settled();
  edges.socket.breaks();
  await settled();
  expect(server.taken()).toEqual(["heatmap dead_units"]);
});

it("fetches all that is shown after a gap in the feed", async () => {
  const { server, edges, feed } = await follow();
  feed.showHeat("pre_db");
  feed.showSeries("lines", LINES);
  await settled();
  server.taken();
  server.found = [aFinding()];
  edges.socket.breaks();
  await edges.pass(500);
  edges.socket.opens();
  await settled();
  expect(server.taken()).toEqual([]);
  await confirmed(edges);
  expect(server.taken()).toEqual(["run", "layers", "findings", "heatmap pre_db", "series r0"]);
  expect(feed.state.findings).toEqual([aFinding()]);
});

it("fills the holes of a page that was too slow, and not at every one of them", async () => {
  const { server, edges, feed } = await follow();
  feed.showHeat("pre_db");
  feed.showSeries("lines", LINES);
  await settled();
  server.taken();
  for (let time = 0; time < 20; time++) {
    edges.socket.brings(written({ type: "skipped", run: "run-1", frames: 3 }));
    await edges.pass(100);
  }
  await edges.pass(1_000);
  expect(server.taken().filter((asked) => asked !== "run")).toEqual(["heatmap pre_db", "series r0"]);
});

it("asks again for what could not be fetched", async () => {
  const { server, edges, feed } = await follow();
  server.heats.set("pre_db", Promise.reject(new Error("No store.")));
  feed.showHeat("pre_db");
  await settled();
  expect(feed.error?.message).toBe("No store.");
  server.heats.clear();
  server.taken();
  await edges.pass(10_000);
  expect(server.taken()).toEqual(["run", "heatmap pre_db"]);
  expect(feed.error).toBeNull();
});

it("goes on where the answer ends with what the feed brought meanwhile, however long it took", async () => {
  const { server, feed } = await follow();
  feed.state.receive({ message: aSchema([aRow()], ["pre_db"]), blocks: new Map() });
  let answers = (_: Heat): void => undefined;
  server.heats.set("pre_db", new Promise((resolve) => (answers = resolve)));
  feed.showHeat("pre_db");
  await settled();
  for (let step = 1; step <= 100; step++) feed.state.receive(aFrame(step, { pre_db: [step] }));
  const values = Float32Array.of(0);
  answers({ ...EMPTY, rows: ["r0"], steps: [0], min: values, max: values, last: values, exists: () => true });
  await settled();
  const { steps, columns } = feed.state.heat!;
  expect([...steps.slice(0, columns)]).toEqual(Array.from({ length: 101 }, (_, step) => step));
});

it("asks one question at a time of a panel, and then the newest one", async () => {
  const { server, edges, feed } = await follow();
  let first = (_: Heat): void => undefined;
  server.heats.set("pre_db", new Promise((resolve) => (first = resolve)));
  feed.showHeat("pre_db");
  feed.showSeries("lines", LINES);
  await settled();
  server.taken();
  for (const to of [10, 20, 30]) {
    feed.zoom({ from: 0, to });
    await settled();
  }
  edges.socket.brings(written({ type: "skipped", run: "run-1", frames: 3 }));
  await edges.pass(3_000);
  // The lines do not wait for the picture.
  expect(server.taken().filter((asked) => asked.startsWith("heatmap"))).toEqual([]);
  server.heats.set("pre_db", Promise.resolve({ ...EMPTY, rows: ["r0"] }));
  first(EMPTY);
  await settled();
  expect(server.taken()).toEqual(["heatmap pre_db"]);
  expect(feed.state.heat!.lanes).toBe(1);
});

it("asks the next question though the one before it failed", async () => {
  const { server, feed } = await follow();
  let fails = (_: Error): void => undefined;
  server.heats.set("pre_db", new Promise((_, reject) => (fails = reject)));
  feed.showHeat("pre_db");
  await settled();
  feed.showHeat("gain_db");
  await settled();
  server.taken();
  fails(new Error("No store."));
  await settled();
  expect(server.taken()).toEqual(["heatmap gain_db"]);
});

it("asks for another worker's series now and then, as the feed does not bring them", async () => {
  const { server, edges, feed } = await follow();
  server.taken();
  feed.state.receive({ message: aSchema([aRow()], ["kernel_rms"]), blocks: new Map() });
  const other = { layer: "r0", statistics: ["kernel_rms"], past: { worker: 1, branch: null } };
  feed.showSeries("lines", other);
  await settled();
  expect(server.taken()).toEqual(["series r0 of worker 1"]);
  expect(edges.socket.sent.at(-1)!.statistics).not.toContain("kernel_rms");
  feed.state.receive(aFrame(1, { kernel_rms: [1] }));
  expect(feed.state.seriesOf("lines", other)!.columns).toBe(0);
  await edges.pass(10_000);
  expect(server.taken()).toContain("series r0 of worker 1");
});

it("asks for what was abandoned once: nothing comes of it any more", async () => {
  const { server, edges, feed } = await follow();
  const branch = { layer: "r0", statistics: ["pre_db"], past: { worker: 0, branch: { attempt: "a1", from: 20 } } };
  feed.showSeries("branch", branch);
  await settled();
  expect(server.taken()).toContain("series r0 of worker 0");
  await edges.pass(30_000);
  expect(server.taken()).not.toContain("series r0 of worker 0");
});

it("asks again where more came meanwhile than is kept", async () => {
  const { server, edges, feed } = await follow();
  feed.state.receive({ message: aSchema([aRow()], ["pre_db"]), blocks: new Map() });
  let answers = (_: Heat): void => undefined;
  server.heats.set("pre_db", new Promise((resolve) => (answers = resolve)));
  feed.showHeat("pre_db");
  await settled();
  for (let step = 1; step <= 601; step++) feed.state.receive(aFrame(step, { pre_db: [step] }));
  answers(EMPTY);
  await settled();
  server.taken();
  await edges.pass(10_000);
  expect(server.taken()).toContain("heatmap pre_db");
});

it("fetches the layers again where the feed's are others", async () => {
  const { server, edges, feed } = await follow();
  server.taken();
  edges.socket.brings(recorded("schema"));
  await edges.pass(300);
  expect([feed.state.layers?.rows, server.taken()]).toEqual([[], ["layers"]]);
});

it("drops the answer to a question that was given up", async () => {
  const { server, feed } = await follow();
  let late = (_: Heat): void => undefined;
  server.heats.set("pre_db", new Promise((resolve) => (late = resolve)));
  feed.showHeat("pre_db");
  await settled();
  feed.showHeat("gain_db");
  await settled();
  late({ ...EMPTY, rows: ["r0"] });
  await settled();
  expect(feed.state.heat!.lanes).toBe(0);
});

it("fetches every history anew for other steps, and once", async () => {
  const { server, feed } = await follow();
  feed.showHeat("pre_db");
  feed.showSeries("lines", LINES);
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
  await settled();
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
  for (let time = 0; time < 3; time++) feed.showSeries("lines", LINES);
  await settled();
  feed.showSeries("lines", { ...LINES, statistics: ["pre_db", "gain_db"] });
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
  await confirmed(edges);
  server.taken();
  await edges.pass(60_000);
  expect([feed.deleted, feed.error, server.taken()]).toEqual([true, null, []]);
});

it("tells of frames apart from what else changes", async () => {
  const { edges, feed } = await follow();
  const told: string[] = [];
  feed.watch(() => told.push("change"));
  const unheard = feed.listen(() => told.push("frame"));
  edges.socket.brings(recorded("frame"));
  edges.socket.brings(recorded("finding"));
  unheard();
  edges.socket.brings(recorded("frame"));
  expect(told).toEqual(["frame", "change"]);
});

it("asks for nothing once it is closed", async () => {
  const { server, edges, feed } = await follow();
  edges.socket.brings(recorded("finding"));
  feed.close();
  server.taken();
  await edges.pass(60_000);
  expect(server.taken()).toEqual([]);
});
