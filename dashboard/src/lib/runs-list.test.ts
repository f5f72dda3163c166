import { describe, expect, it } from "vitest";
import { aRunSummary } from "../../tests/builders";
import {
  type Choice,
  choiceOf,
  COLUMNS,
  comparisonOf,
  isFiltered,
  listed,
  optionsOf,
  orderOf,
  PAGE_SIZE,
  partOf,
  pressed,
} from "./runs-list";

const NONE = choiceOf(() => null);
const RUNS = [
  aRunSummary({ id: "wide-2", project: "vision", tags: ["adam", "wide"], step: 30, started: 3 }),
  aRunSummary({ id: "deep", project: "speech", tags: ["SGD"], step: null, started: 2 }),
  aRunSummary({ id: "wide-1", project: "vision", status: "ended", step: 200, started: 1 }),
];

function ids(choice: Partial<Choice>): string[] {
  return listed(RUNS, { ...NONE, ...choice }).map(({ id }) => id);
}

function column(id: string) {
  return COLUMNS.find((one) => one.id === id)!;
}

describe("the choice in an address", () => {
  it("is read from it", () => {
    const query = new URLSearchParams("search=wide&project=p&tag=t&status=lost&sort=-step&page=3");
    expect(choiceOf((name) => query.get(name))).toEqual({
      search: "wide",
      project: "p",
      tag: "t",
      status: "lost",
      sort: "-step",
      page: 3,
    });
  });

  it.each(["", "page=0", "page=-1", "page=x", "page=1.5", "sort=nothing", "sort=--step"])(
    "is none where the address says %s",
    (text) => {
      const query = new URLSearchParams(text);
      expect(choiceOf((name) => query.get(name))).toEqual({
        search: "",
        project: "",
        tag: "",
        status: "",
        sort: "-started",
        page: 1,
      });
    },
  );

  it("filters where anything but order and page is chosen", () => {
    expect(isFiltered({ ...NONE, sort: "step", page: 2, search: " " })).toBe(false);
    expect(["search", "project", "tag", "status"].map((name) => isFiltered({ ...NONE, [name]: "x" })))
      .toEqual([true, true, true, true]);
  });
});

describe("runs that fit", () => {
  it.each([
    [{}, ["wide-2", "deep", "wide-1"]],
    [{ search: "WIDE" }, ["wide-2", "wide-1"]],
    [{ search: "  vision   adam " }, ["wide-2"]],
    [{ search: "sgd" }, ["deep"]],
    [{ project: "vision", status: "ended" }, ["wide-1"]],
    [{ tag: "adam" }, ["wide-2"]],
    [{ tag: "ada" }, []],
    [{ search: "(" }, []],
  ])("%j are found", (choice, expected) => expect(ids(choice)).toEqual(expected));
});

describe("the order", () => {
  it.each([
    ["-started", ["wide-2", "deep", "wide-1"]],
    ["run", ["deep", "wide-1", "wide-2"]],
    ["-step", ["wide-1", "wide-2", "deep"]],
    ["step", ["wide-2", "wide-1", "deep"]],
    ["-status", ["wide-2", "deep", "wide-1"]],
  ])("%s puts what is absent last, and of equals the newest first", (sort, expected) => {
    expect(ids({ sort })).toEqual(expected);
  });

  it("leaves the list that it was given as it is", () => {
    ids({ sort: "step" });
    expect(RUNS.map(({ id }) => id)).toEqual(["wide-2", "deep", "wide-1"]);
  });

  it("turns round with each press, and begins with A or with the largest", () => {
    const press = (id: string, sort: string): string => pressed(column(id), { ...NONE, sort });
    expect([press("run", "step"), press("run", "run"), press("run", "-run")]).toEqual([
      "run",
      "-run",
      "run",
    ]);
    expect([press("step", "run"), press("step", "-step"), press("step", "step")]).toEqual([
      "-step",
      "step",
      "-step",
    ]);
  });

  it("is told of the one column that has it", () => {
    const orders = ["step", "started"].map((id) => orderOf(column(id), { ...NONE, sort: "-step" }));
    expect(orders).toEqual(["descending", undefined]);
    expect(orderOf(column("step"), { ...NONE, sort: "step" })).toBe("ascending");
  });
});

describe("a long list", () => {
  const many = Array.from({ length: 2 * PAGE_SIZE + 1 }, (_, index) =>
    aRunSummary({ id: `run-${index}` }),
  );

  it.each([
    [1, 1, 1, PAGE_SIZE, "run-0"],
    [3, 3, 101, 101, "run-100"],
    [9, 3, 101, 101, "run-100"],
  ])("shows on page %i part %i, from %i to %i", (wanted, page, first, last, id) => {
    const part = partOf(many, wanted);
    expect([part.page, part.pages, part.first, part.last]).toEqual([page, 3, first, last]);
    expect(part.runs[0]!.id).toBe(id);
  });

  it("that is empty has one page without any", () => {
    expect(partOf([], 2)).toEqual({ runs: [], page: 1, pages: 1, first: 0, last: 0 });
  });
});

describe("what can be chosen", () => {
  it("is what runs have, by name, with how many have it", () => {
    const runs = [...RUNS, aRunSummary({ project: "" })];
    expect(optionsOf(runs, ({ project }) => [project], "")).toEqual([
      ["speech", 1],
      ["vision", 2],
    ]);
  });

  it("is the most frequent of very many, and what is chosen already", () => {
    const tags = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    const runs = [aRunSummary({ tags }), aRunSummary({ tags: ["often"] }), aRunSummary({ tags: ["often"] })];
    const options = optionsOf(runs, (run) => run.tags, "gone");
    expect(options).toHaveLength(300);
    expect(options.slice(0, 2)).toEqual([
      ["gone", 0],
      ["often", 2],
    ]);
  });
});

it("names the runs to compare in an address, whatever they are called", () => {
  const named = [aRunSummary({ id: "a&b" }), aRunSummary({ id: "c d" })];
  expect(comparisonOf(named)).toBe("/compare?run=a%26b&run=c+d");
});
