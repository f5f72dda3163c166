/** The browser's side of what `lib` takes as arguments: fetch, sockets, clocks, storage. */

import { Api } from "./lib/api";
import type { Edges } from "./lib/live";
import { Session } from "./lib/session";

export const session = new Session(window.sessionStorage);

export const api = new Api(session, (input, init) => window.fetch(input, init));

function liveUrl(): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/api/v1/live`;
}

export const edges: Edges = {
  open: () => new WebSocket(liveUrl()),
  token: () => session.token,
  after: (milliseconds, call) => {
    const timer = window.setTimeout(call, milliseconds);
    return () => window.clearTimeout(timer);
  },
  random: Math.random,
};
