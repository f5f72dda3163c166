import { describe, expect, it } from "vitest";
import { recorded } from "../../tests/recorded";
import { Api } from "./api";
import { Session } from "./session";

function asking(answer: () => Response) {
  const asked: Request[] = [];
  const kept = new Map([["gainstage-token", "secret"]]);
  const session = new Session({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  });
  const api = new Api(session, async (path, init) => {
    asked.push(new Request(new URL(String(path), "http://server"), init));
    return answer();
  });
  return { api, session, asked };
}

it("sends the token in a header and never in the address", async () => {
  const { api, asked } = asking(() => Response.json({ runs: [] }));
  await api.runs();
  expect(asked[0]!.headers.get("Authorization")).toBe("Bearer secret");
  expect(asked[0]!.url).toBe("http://server/api/v1/runs");
});

it("asks for the runs of one project alone", async () => {
  const { api, asked } = asking(() => Response.json({ runs: [] }));
  await api.runs("a&b");
  expect(asked[0]!.url).toBe("http://server/api/v1/runs?project=a%26b");
});

it("names runs and layers in an address without breaking it", async () => {
  const { api, asked } = asking(() => Response.json({ steps: [], series: {}, downsampled: false }));
  await api.series("a/b?c", "x&y", ["pre_db", "gain_db"], 600);
  const url = new URL(asked[0]!.url);
  expect(url.pathname).toBe("/api/v1/runs/a%2Fb%3Fc/series");
  expect(url.searchParams.get("layer")).toBe("x&y");
  expect(url.searchParams.getAll("statistic")).toEqual(["pre_db", "gain_db"]);
});

it("asks for a worker's series, and for those of a branch from where it begins", async () => {
  const { api, asked } = asking(() => Response.json({ steps: [], series: {}, downsampled: false }));
  const branch = { attempt: "a1", from: 20 };
  await api.series("r", "l", [], 600, { from: 10, to: 30 }, { worker: 1, branch: null });
  await api.series("r", "l", [], 600, { from: 10, to: 30 }, { worker: 0, branch });
  await api.series("r", "l", [], 600, { from: 25, to: 30 }, { worker: 0, branch });
  await api.series("r", "l", [], 600, null, { worker: 0, branch });
  const queries = asked.map(({ url }) => new URL(url).searchParams.toString().split("&").slice(2).join("&"));
  expect(queries).toEqual([
    "from=10&to=30&worker=1",
    "from=20&to=30&worker=0&attempt=a1",
    "from=25&to=30&worker=0&attempt=a1",
    "worker=0&attempt=a1&from=20",
  ]);
});

it("lays the lanes of a series out in the order that was asked for", async () => {
  const lane = (...values: unknown[]) => ({ min: values, max: values, last: values });
  const { api } = asking(() =>
    Response.json({
      steps: [10, 20],
      downsampled: true,
      series: { gain_db: lane(3, null), pre_db: lane("NaN", 2) },
    }),
  );
  const history = await api.series("r", "l", ["pre_db", "gain_db", "absent"], 600);
  expect([...history.last]).toEqual([NaN, 2, 3, 0, 0, 0]);
  expect([0, 1, 2, 3, 4, 5].map(history.exists)).toEqual([true, true, true, false, false, false]);
  expect(history.downsampled).toBe(true);
});

it("asks for the logs of some steps and lays them out by their names", async () => {
  const loss = { min: [1], max: ["Infinity"], last: [2] };
  const { api, asked } = asking(() =>
    Response.json({ steps: [30], times: [1], downsampled: true, series: { loss } }),
  );
  const history = await api.logs("a/b", ["accuracy", "loss"], 600, { from: 10, to: 30 });
  expect(asked[0]!.url).toBe("http://server/api/v1/runs/a%2Fb/logs?points=600&from=10&to=30");
  expect([...history.max]).toEqual([0, Infinity]);
});

it("reads a heatmap with the lanes that it has", async () => {
  const { api } = asking(() => new Response(recorded("heatmap")));
  const heat = await api.heatmap("run-1", "pre_db", 600);
  expect([heat.rows, heat.steps, [...heat.last]]).toEqual([
    ["r0", "r1"],
    [10, 20, 30],
    [5, 6, 7, 8, 9, 10],
  ]);
  expect([0, 2, 3, 5].map(heat.exists)).toEqual([true, true, false, false]);
});

describe("changes", () => {
  it("mark a finding, with the admin token where one was entered", async () => {
    const { api, session, asked } = asking(() => Response.json({ id: "f/1" }));
    session.enterAdmin("all");
    await api.mark("a/b", "f/1", "muted");
    const [request] = asked;
    expect([request!.method, new URL(request!.url).pathname]).toEqual([
      "PUT",
      "/api/v1/runs/a%2Fb/findings/f%2F1/mark",
    ]);
    expect(request!.headers.get("Authorization")).toBe("Bearer all");
    expect(await request!.json()).toEqual({ state: "muted" });
  });

  it("take a mark away and delete a run, with the read token where there is no other", async () => {
    const { api, asked } = asking(() => Response.json({ id: "f" }));
    await api.mark("r", "f", null);
    await api.deleteRun("r");
    expect(asked.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      "DELETE /api/v1/runs/r/findings/f/mark",
      "DELETE /api/v1/runs/r",
    ]);
    expect(asked[1]!.headers.get("Authorization")).toBe("Bearer secret");
  });

  it("that are refused leave the page its session, and forget the admin token", async () => {
    const { api, session } = asking(() => Response.json({ detail: "No." }, { status: 401 }));
    session.enterAdmin("guess");
    await expect(api.deleteRun("r")).rejects.toMatchObject({ status: 401, message: "No." });
    expect([session.token, session.refused, session.changing]).toEqual(["secret", false, "secret"]);
  });
});

it("reads the units of a layer in the steps that were asked for", async () => {
  const { api, asked } = asking(() => new Response(recorded("units")));
  const map = await api.units("run-1", "head/dense", 400, { from: 10, to: 20 });
  const { pathname, search } = new URL(asked[0]!.url);
  expect(pathname + search).toBe(
    "/api/v1/runs/run-1/units?layer=head%2Fdense&points=400&from=10&to=20",
  );
  expect([map.units, map.groups, map.steps, map.downsampled]).toEqual([5, 3, [10, 20], false]);
  expect([...map.pinned]).toEqual([0, 0.25, 0.5, NaN, 1, 1]);
});

it("takes no other answer for the units of a layer", async () => {
  const { api } = asking(() => new Response(recorded("heatmap")));
  await expect(api.units("run-1", "r0", 400)).rejects.toThrow("Received: heatmap.");
});

describe("what goes wrong", () => {
  it("is said in the server's words", async () => {
    const { api } = asking(() => Response.json({ detail: "No run 'x'." }, { status: 404 }));
    await expect(api.run("x")).rejects.toMatchObject({ status: 404, message: "No run 'x'." });
  });

  it("is said in ours where something in between answered", async () => {
    const { api } = asking(
      () => new Response("<html>", { status: 502, statusText: "Bad Gateway" }),
    );
    await expect(api.run("x")).rejects.toThrow("The server answered 502 Bad Gateway.");
  });

  it("is said in ours where nobody answered", async () => {
    const { api } = asking(() => {
      throw new TypeError("Failed to fetch");
    });
    await expect(api.run("x")).rejects.toThrow("The server cannot be reached.");
  });

  it("has a refused token forgotten and asked for", async () => {
    const { api, session } = asking(() => Response.json({ detail: "No." }, { status: 401 }));
    await expect(api.runs()).rejects.toThrow("No.");
    expect([session.token, session.refused]).toEqual([null, true]);
  });
});
