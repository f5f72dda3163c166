import { describe, expect, it, vi } from "vitest";
import { type Keep, Session } from "./session";

function keep(): Keep {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

describe("the read token", () => {
  it("is forgotten once the server refused it, and another is asked for", () => {
    const session = new Session(keep());
    const watcher = vi.fn();
    session.watch(watcher);
    session.enter("wrong");
    session.refuse("wrong");
    expect([session.token, session.refused, session.mistaken]).toEqual([null, true, true]);
    session.enter("right");
    expect([session.token, session.refused, session.mistaken]).toEqual(["right", false, false]);
    expect(watcher).toHaveBeenCalledTimes(3);
  });

  it("is not called wrong before one was entered", () => {
    const session = new Session(keep());
    session.refuse(null);
    expect([session.refused, session.mistaken]).toEqual([true, false]);
  });

  it("stays when an earlier one is refused late", () => {
    const session = new Session(keep());
    session.enter("wrong");
    session.refuse("wrong");
    session.enter("right");
    session.refuse("wrong");
    expect([session.token, session.refused]).toEqual(["right", false]);
  });
});

describe("the admin token", () => {
  it("goes with changes only, and in place of the read token", () => {
    const session = new Session(keep());
    session.enter("eyes");
    expect(session.changing).toBe("eyes");
    session.enterAdmin("all");
    expect([session.token, session.changing]).toEqual(["eyes", "all"]);
  });

  it("is forgotten once it was refused, and the page goes on reading", () => {
    const session = new Session(keep());
    const watcher = vi.fn();
    session.enter("eyes");
    session.watch(watcher);
    session.enterAdmin("guess");
    session.refuseAdmin("another");
    expect(session.changing).toBe("guess");
    session.refuseAdmin("guess");
    expect([session.changing, session.refused]).toEqual(["eyes", false]);
    expect(watcher).not.toHaveBeenCalled();
  });
});
