import { expect, it } from "vitest";
import { comparePath, layerPath, pathOf, routeOf } from "./route";

const HARD = ["run-1", "a b", "50%", "a/b", "ä?#", "<img src=x>", "%2F"];

it.each(HARD)("the path of run %s leads back to it", (run) =>
  expect(routeOf(pathOf(run))).toEqual({ page: "run", run, view: "desk" }),
);

it.each(HARD)("the path of layer %s leads back to it", (layer) =>
  expect(routeOf(layerPath("run-1", layer))).toEqual({
    page: "run",
    run: "run-1",
    view: "layer",
    layer,
  }),
);

it("knows the pages of a run", () => {
  expect(routeOf(pathOf("a", "graph"))).toEqual({ page: "run", run: "a", view: "graph" });
  expect(routeOf(pathOf("a", "trials"))).toEqual({ page: "run", run: "a", view: "trials" });
});

it("knows the list of runs", () => {
  expect(routeOf("/")).toEqual({ page: "runs" });
});

it("names the runs to compare in the query", () => {
  expect(comparePath(["a", "b c"])).toBe("/compare?run=a&run=b+c");
  expect(routeOf("/compare")).toEqual({ page: "compare" });
});

it("lets a run's path end in a slash", () => {
  expect(routeOf("/runs/run-1/")).toEqual({ page: "run", run: "run-1", view: "desk" });
});

it.each(["/runs", "/runs/", "/runs/a/b", "/runs/a/graph/b", "/runs/a/layers", "/else", "/runs/%E0%A4%A"])(
  "%s is no page",
  (path) => {
    expect(routeOf(path)).toEqual({ page: "unknown" });
  },
);
