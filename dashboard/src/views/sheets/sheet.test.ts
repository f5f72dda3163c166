import { render } from "svelte/server";
import { beforeAll, expect, it, vi } from "vitest";
import { aRow, aSchema } from "../../../tests/builders";
import type { RunFeed } from "../../lib/run-feed";
import { RunState } from "../../lib/run-state";
import RunDesk from "../RunDesk.svelte";
import { drawing, Sheet } from "./sheet.svelte";
import type { Drawing, Order } from "./thread";

// Of the desk only what it says of the thread matters here.
const nothing = vi.hoisted(() => () => ({ default: () => undefined }));
vi.mock("../Console.svelte", nothing);
vi.mock("../Findings.svelte", nothing);
vi.mock("../HeatmapPanel.svelte", nothing);
vi.mock("../SeriesPanel.svelte", nothing);
vi.mock("../TrainingPanel.svelte", nothing);
vi.mock("../Workers.svelte", nothing);

class FakeWorker {
  static readonly opened: FakeWorker[] = [];
  onerror: (() => void) | null = null;
  readonly orders: Order[] = [];

  constructor() {
    FakeWorker.opened.push(this);
  }

  postMessage(order: Order): void {
    this.orders.push(order);
  }
}

const DRAWING = { kind: "cells" } as Drawing;

function desk(): string {
  const state = new RunState();
  state.receive({ message: aSchema([aRow()], ["pre_db"]), blocks: new Map() });
  const feed = { state, run: "run-1" } as RunFeed;
  const none = (): void => undefined;
  return render(RunDesk, { props: { feed, statistics: new Map(), selected: 0, select: none, open: none } }).body;
}

beforeAll(() => {
  vi.stubGlobal("Worker", FakeWorker);
  return () => vi.unstubAllGlobals();
});

it("all sheets are drawn by one thread, each under a number of its own", () => {
  const [one, other] = [new Sheet(), new Sheet()];
  for (const sheet of [one, other, one]) sheet.draw(DRAWING);
  expect(FakeWorker.opened).toHaveLength(1);
  const [first, second, third] = FakeWorker.opened[0]!.orders.slice(-3).map(({ sheet }) => sheet);
  expect(first).toBe(third);
  expect(second).not.toBe(first);
});

it("the desk says so where the thread that draws could not be loaded", () => {
  const words = "This page could not be loaded";
  new Sheet().draw(DRAWING);
  expect(desk()).not.toContain(words);
  FakeWorker.opened[0]!.onerror!();
  expect(drawing.failed).toBe(true);
  expect(desk()).toContain(words);
});
