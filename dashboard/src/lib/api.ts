/** The HTTP API: one function for each question that the dashboard asks, and for each change. */

import type {
  Activations,
  Finding,
  LayersAnswer,
  LogsAnswer,
  Mark,
  Rule,
  RunDetail,
  RunSummary,
  SeriesAnswer,
  Statistic,
  Trial,
} from "./contract";
import { historyOf } from "./history";
import type { History } from "./rollup";
import type { Window } from "./run-state";
import type { Session } from "./session";
import { decode, WireError } from "./wire";
import type { Past } from "./workers";

const BASE = "/api/v1";

/** The server's own words on what was wrong; status 0: it did not answer. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** A heatmap's history with the ids of its lanes. */
export interface Heat extends History {
  rows: string[];
}

/** The units of one layer over steps, as many of them in a group as it takes. */
export interface UnitMap {
  /** How many the layer has; 0 where it has no map. */
  units: number;
  groups: number;
  steps: number[];
  downsampled: boolean;
  /** [groups, steps]: the share of a group's values that pass no gradient; NaN where absent. */
  pinned: Float32Array;
}

export class Api {
  constructor(
    private readonly session: Session,
    private readonly fetch: typeof globalThis.fetch,
  ) {}

  /** All runs, or those of one project. */
  async runs(project?: string): Promise<RunSummary[]> {
    const query = project === undefined ? "" : `?${new URLSearchParams({ project })}`;
    return (await this.json<{ runs: RunSummary[] }>(`/runs${query}`)).runs;
  }

  run(run: string): Promise<RunDetail> {
    return this.json(`/runs/${encodeURIComponent(run)}`);
  }

  layers(run: string): Promise<LayersAnswer> {
    return this.json(`/runs/${encodeURIComponent(run)}/layers`);
  }

  async findings(run: string): Promise<Finding[]> {
    const path = `/runs/${encodeURIComponent(run)}/findings`;
    return (await this.json<{ findings: Finding[] }>(path)).findings;
  }

  /** Says that a finding is known, or mutes it; null takes its mark away. */
  async mark(run: string, finding: string, state: Mark["state"] | null): Promise<Finding> {
    const path = `/runs/${encodeURIComponent(run)}/findings/${encodeURIComponent(finding)}/mark`;
    const answer =
      state === null
        ? await this.change("DELETE", path)
        : await this.change("PUT", path, JSON.stringify({ state }));
    return answer.json() as Promise<Finding>;
  }

  async deleteRun(run: string): Promise<void> {
    await this.change("DELETE", `/runs/${encodeURIComponent(run)}`);
  }

  async rules(): Promise<Rule[]> {
    return (await this.json<{ rules: Rule[] }>("/rules")).rules;
  }

  /** The newest first. */
  async trials(run: string): Promise<Trial[]> {
    const path = `/runs/${encodeURIComponent(run)}/trials`;
    return (await this.json<{ trials: Trial[] }>(path)).trials;
  }

  async statistics(): Promise<Statistic[]> {
    return (await this.json<{ statistics: Statistic[] }>("/statistics")).statistics;
  }

  activations(): Promise<Activations> {
    return this.json("/activations");
  }

  /**
   * The history of some statistics of one layer, its lanes in the order of `statistics`.
   *
   * @param past Whose; without it the run's own.
   */
  async series(
    run: string,
    layer: string,
    statistics: readonly string[],
    points: number,
    window: Window = null,
    past?: Past,
  ): Promise<History> {
    const query = new URLSearchParams({ layer, points: String(points), ...stepsOf(window), ...pastOf(past, window) });
    for (const statistic of statistics) query.append("statistic", statistic);
    const answer = await this.json<SeriesAnswer>(
      `/runs/${encodeURIComponent(run)}/series?${query}`,
    );
    return historyOf(answer, statistics);
  }

  /** The history of what the training logged, its lanes in the order of `names`. */
  async logs(
    run: string,
    names: readonly string[],
    points: number,
    window: Window = null,
  ): Promise<History> {
    const query = new URLSearchParams({ points: String(points), ...stepsOf(window) });
    return historyOf(await this.json<LogsAnswer>(`/runs/${encodeURIComponent(run)}/logs?${query}`), names);
  }

  async heatmap(
    run: string,
    statistic: string,
    points: number,
    window: Window = null,
  ): Promise<Heat> {
    const query = new URLSearchParams({ statistic, points: String(points), ...stepsOf(window) });
    const response = await this.request(
      `/runs/${encodeURIComponent(run)}/heatmap?${query}`,
      "application/x-gainstage",
    );
    const { message, blocks } = decode(await response.arrayBuffer());
    const [min, max, last] = ["min", "max", "last"].map((name) => blocks.get(name)?.values);
    if (message.type !== "heatmap" || !min || !max || !last) {
      throw new WireError(`Expected a heatmap with min, max and last. Received: ${message.type}.`);
    }
    const columns = message.steps.length;
    return {
      rows: message.rows,
      steps: message.steps,
      min,
      max,
      last,
      downsampled: message.downsampled,
      exists: (cell) => message.present[Math.floor(cell / columns)] === true,
    };
  }

  async units(
    run: string,
    layer: string,
    points: number,
    window: Window = null,
  ): Promise<UnitMap> {
    const query = new URLSearchParams({ layer, points: String(points), ...stepsOf(window) });
    const response = await this.request(
      `/runs/${encodeURIComponent(run)}/units?${query}`,
      "application/x-gainstage",
    );
    const { message, blocks } = decode(await response.arrayBuffer());
    const pinned = blocks.get("pinned")?.values;
    if (message.type !== "units" || !pinned) {
      throw new WireError(`Expected units with a block "pinned". Received: ${message.type}.`);
    }
    const { units, groups, steps, downsampled } = message;
    return { units, groups, steps, downsampled, pinned };
  }

  private async json<T>(path: string): Promise<T> {
    return (await this.request(path, "application/json")).json() as Promise<T>;
  }

  private async request(path: string, accept: string): Promise<Response> {
    const { token } = this.session;
    const response = await this.send(path, { headers: { Accept: accept, ...bearer(token) } });
    if (response.ok) return response;
    if (response.status === 401) this.session.refuse(token);
    throw new ApiError(response.status, await detailOf(response));
  }

  /** Status 401: it takes the admin token, which the view that changes something asks for. */
  private async change(method: string, path: string, body?: string): Promise<Response> {
    const sent = this.session.changing;
    const headers: Record<string, string> = bearer(sent);
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await this.send(path, { method, headers, body: body ?? null });
    if (response.ok) return response;
    if (response.status === 401) this.session.refuseAdmin(sent);
    throw new ApiError(response.status, await detailOf(response));
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await this.fetch(BASE + path, init);
    } catch {
      // Browsers say "Failed to fetch" or worse, each in its own words.
      throw new ApiError(0, "The server cannot be reached.");
    }
  }
}

function stepsOf(window: Window): Record<string, string> {
  return window === null ? {} : { from: String(window.from), to: String(window.to) };
}

/** Whose steps; those of a branch begin where it does. */
function pastOf(past: Past | undefined, window: Window): Record<string, string> {
  if (past === undefined) return {};
  const [worker, { branch }] = [String(past.worker), past];
  if (branch === null) return { worker };
  return { worker, attempt: branch.attempt, from: String(Math.max(branch.from, window?.from ?? 0)) };
}

function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

async function detailOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === "string") return detail;
  } catch {
    // A proxy in between answers in HTML: the status has to do.
  }
  return `The server answered ${response.status} ${response.statusText}.`.trim();
}
