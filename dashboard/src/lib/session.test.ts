import { expect, it, vi } from "vitest";
import { type Keep, Session } from "./session";

function keep(): Keep {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

it("forgets a token that the server refused, and asks for another", () => {
  const session = new Session(keep());
  const watcher = vi.fn();
  session.watch(watcher);
  session.enter("wrong");
  session.refuse();
  expect([session.token, session.refused]).toEqual([null, true]);
  session.enter("right");
  expect([session.token, session.refused]).toEqual(["right", false]);
  expect(watcher).toHaveBeenCalledTimes(3);
});
