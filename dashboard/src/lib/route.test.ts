import { expect, it } from "vitest";
import { pathOf, routeOf } from "./route";

it.each(["run-1", "a b", "50%", "a/b", "ä?#", "<img src=x>", "%2F"])(
  "the path of run %s leads back to it",
  (run) => expect(routeOf(pathOf(run))).toEqual({ page: "run", run }),
);

it("knows the list of runs", () => {
  expect(routeOf("/")).toEqual({ page: "runs" });
});

it("lets a run's path end in a slash", () => {
  expect(routeOf("/runs/run-1/")).toEqual({ page: "run", run: "run-1" });
});

it.each(["/runs", "/runs/", "/runs/a/b", "/else", "/runs/%E0%A4%A"])("%s is no page", (path) => {
  expect(routeOf(path)).toEqual({ page: "unknown" });
});
