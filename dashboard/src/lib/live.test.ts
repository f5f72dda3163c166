import { describe, expect, it } from "vitest";
import { FakeEdges, written } from "../../tests/fakes";
import { contract, recorded } from "../../tests/recorded";
import { backOff, type Connection, Live } from "./live";

function follow(run: string | null = "run-1") {
  const edges = new FakeEdges();
  const seen = {
    states: [] as Connection[],
    messages: [] as string[],
    errors: [] as string[],
    calls: [] as string[],
  };
  const live = new Live(run, edges, {
    message: ({ message }) => seen.messages.push(message.type),
    connection: (state) => seen.states.push(state),
    resumed: () => seen.calls.push("resumed"),
    following: () => seen.calls.push("following"),
    unreadable: (error) => seen.errors.push(error.message),
  });
  return { edges, seen, live };
}

it("subscribes once it is connected, with the token in the message and not in the address", () => {
  const { edges, seen } = follow();
  edges.token = () => "secret";
  expect(edges.socket.sent).toEqual([]);
  edges.socket.opens();
  const subscription = { type: "subscribe", run: "run-1", token: "secret", statistics: [], id: 1 };
  expect(edges.socket.sent).toEqual([subscription]);
  expect(seen.states).toEqual(["connecting", "open"]);
});

it("hands messages on, and what it cannot read as an error", () => {
  const { edges, seen } = follow();
  edges.socket.opens();
  edges.socket.brings(recorded("frame"));
  edges.socket.brings(new ArrayBuffer(3));
  edges.socket.brings("text, which no server of ours sends");
  expect(seen.messages).toEqual(["frame"]);
  expect(seen.errors).toEqual(["A message has at least 8 bytes. Received: 3."]);
});

describe("other statistics", () => {
  it("are subscribed to, and waited for until the server tells of them", () => {
    const { edges, seen, live } = follow();
    edges.socket.opens();
    expect([live.follow(["a"]), live.follow(["a", "b"]), live.follow(["a", "b"])]).toEqual([true, true, true]);
    const [first, second, third] = edges.socket.sent;
    expect([first!.statistics, second!.statistics, third!.statistics]).toEqual([[], ["a"], ["a", "b"]]);
    edges.socket.brings(written({ type: "subscribed", id: second!.id }));
    expect([seen.calls, live.isFollowing]).toEqual([[], false]);
    edges.socket.confirms();
    expect([seen.calls, live.isFollowing, live.follow(["a", "b"])]).toEqual([["following"], true, false]);
  });

  it("are not waited for without a connection, and subscribed to once there is one", () => {
    const { edges, live } = follow();
    expect([live.follow(["a"]), live.isFollowing]).toEqual([false, false]);
    edges.socket.opens();
    expect(edges.socket.sent.map(({ statistics }) => statistics)).toEqual([["a"]]);
    edges.socket.confirms();
    edges.socket.breaks();
    expect([live.follow(["b"]), live.isFollowing]).toEqual([false, false]);
  });
});

it("passes over what only a later release knows", () => {
  const { edges, seen } = follow();
  edges.socket.opens();
  edges.socket.brings(contract("ack"));
  edges.socket.brings(contract("notice"));
  expect(seen.messages).toEqual(["notice"]);
  expect(seen.errors).toEqual([]);
});

describe("a connection that broke", () => {
  it("comes back by itself, and says that there was a gap", async () => {
    const { edges, seen } = follow();
    edges.socket.opens();
    edges.socket.confirms();
    edges.socket.breaks();
    expect(seen.states.at(-1)).toBe("disconnected");
    await edges.pass(500);
    expect(edges.sockets).toHaveLength(2);
    expect(seen.states.at(-1)).toBe("disconnected");
    edges.socket.opens();
    expect(seen.states.at(-1)).toBe("open");
    expect(seen.calls).toEqual(["following"]);
    edges.socket.confirms();
    expect(seen.calls).toEqual(["following", "resumed", "following"]);
  });

  it("is tried less and less often while there is no server", async () => {
    const { edges } = follow();
    const tries: number[] = [];
    for (let second = 0; second < 60; second++) {
      const before = edges.sockets.length;
      if (!edges.socket.closed && edges.timers.size === 0) edges.socket.breaks();
      await edges.pass(1_000);
      tries.push(edges.sockets.length - before);
    }
    const [first, second] = [tries.slice(0, 10), tries.slice(50)];
    expect(first.reduce((sum, n) => sum + n)).toBeGreaterThanOrEqual(3);
    expect(second.reduce((sum, n) => sum + n)).toBeLessThanOrEqual(1);
  });

  it("is tried soon again after it had been back", async () => {
    const { edges } = follow();
    for (let turn = 0; turn < 6; turn++) {
      edges.socket.breaks();
      await edges.pass(15_000);
    }
    edges.socket.opens();
    edges.socket.breaks();
    const before = edges.sockets.length;
    await edges.pass(500);
    expect(edges.sockets.length).toBe(before + 1);
  });

  it("stays away once it was closed on purpose", async () => {
    const { edges, live } = follow();
    edges.socket.opens();
    live.close();
    expect(edges.socket.closed).toBe(true);
    edges.socket.breaks();
    await edges.pass(60_000);
    expect(edges.sockets).toHaveLength(1);
  });

  it("is not tried again when it was closed while waiting", async () => {
    const { edges, live } = follow();
    edges.socket.breaks();
    live.close();
    await edges.pass(60_000);
    expect(edges.sockets).toHaveLength(1);
  });
});

it("waits at most 15 s, and not all viewers the same time", () => {
  expect([0, 1, 2].map((attempt) => backOff(attempt, () => 0))).toEqual([500, 1_000, 2_000]);
  expect(backOff(50, () => 0)).toBe(15_000);
  expect(backOff(0, () => 1)).toBe(250);
});
