/** The browser's side of what `lib` takes as arguments: fetch, sockets, clocks, storage. */

import { Api } from "./lib/api";
import type { Edges } from "./lib/live";
import { Session } from "./lib/session";

export const session = new Session(globalThis.sessionStorage);

export const api = new Api(session, (input, init) => window.fetch(input, init));

// Tables, which do not change while the server runs.
export const rules = once(() => api.rules());
export const activations = once(() => api.activations());
/** The statistics by their ids. */
export const statistics = once(async () => {
  const table = await api.statistics();
  return new Map(table.map((statistic) => [statistic.id, statistic]));
});

/** Asks but once, and again only after a failure. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null;
  return () =>
    (answer ??= ask().catch((error: unknown) => {
      answer = null;
      throw error;
    }));
}

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
