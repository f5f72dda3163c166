/** All that is known of one run, advanced by what the API answers and what the feed brings. */

import type { Heat } from "./api";
import type { Finding, LayersAnswer, RunDetail } from "./contract";
import { Desk } from "./desk";
import { isOpen, placed } from "./finding";
import { logged, logOf } from "./logs";
import { Meanwhile, type Sample } from "./meanwhile";
import { levelsOf, type Reading } from "./meter";
import { numberOf } from "./number";
import { Peaks } from "./peaks";
import { type History, Rollup } from "./rollup";
import type { Block, Decoded, Frame, Schema, WireFinding } from "./wire";
import { CHIEF, type Past } from "./workers";

/**
 * Parts of a run that are fetched. After a message those have to be fetched again of which it does
 * not tell what changed.
 */
export type Part = "summary" | "layers" | "findings" | "histories";

const EVERYTHING: readonly Part[] = ["summary", "layers", "findings", "histories"];

/** Some statistics of one layer that are drawn together; null is no layer: logs of the training. */
export interface Selection {
  layer: string | null;
  statistics: readonly string[];
  /** Whose; without it the run's own, with which the feed goes on. */
  past?: Past;
}

export function isSame(left: Selection, right: Selection): boolean {
  const [one, other] = [left, right].map(({ layer, statistics, past }) => JSON.stringify([layer, statistics, past]));
  return one === other;
}

/** The steps that are shown, both ends included; null: all of them, and those to come. */
export type Window = { from: number; to: number } | null;

/** Lanes that grow with the feed. */
interface Track {
  selection: Selection;
  rollup: Rollup;
}

export class RunState {
  detail: RunDetail | null = null;
  desk = Desk.empty;
  /** What the layers are configured with, in their order; the feed tells it of none. */
  layers: LayersAnswer | null = null;
  step: number | null = null;
  epoch: number | null = null;
  logs: Record<string, number | null> = {};
  costs: Record<string, number> = {};
  findings: Finding[] = [];
  /** Trials that the feed announced. */
  trials = 0;
  heat: Rollup | null = null;
  window: Window = null;
  private heatStatistic = "";
  private heatRows: readonly string[] = [];
  private tracks = new Map<string, Track>();
  private attempt: string | null = null;
  private schema: number | null = null;
  /** The newest frame of the schema. */
  private newest: Frame | null = null;
  private readonly waiting = new Set<Meanwhile>();
  private since = 0;
  /** The step of the last frame that the feed brought. */
  private reached = -Infinity;
  /** Peaks and clip lights of the desk's channels. */
  peaks = new Peaks(0);
  private judged = new Map<string, string>();
  private openByRow = new Map<string, Finding>();
  private headrooms = new Map<string, number | null>();

  setDetail(detail: RunDetail): void {
    this.detail = detail;
    this.since = 0;
    this.judge(detail.judged);
    if (this.newest !== null) return; // the feed's numbers are newer
    this.step = detail.step;
    this.epoch = detail.epoch;
    this.logs = Object.fromEntries(
      Object.entries(detail.logs).map(([name, value]) => [name, numberOf(value)]),
    );
  }

  setLayers(answer: LayersAnswer): void {
    this.layers = answer;
    this.judge(answer.rows.map(({ verdict }) => verdict));
    this.headrooms = new Map(answer.rows.map(({ id, headroom_db }) => [id, headroom_db]));
    // The feed's frames are laid out by its own schema, and its numbers are newer.
    if (this.schema === null) this.show(Desk.ofLayers(answer.rows));
    // Headrooms come with this answer, and with the first one what is over them; no sample came.
    if (this.newest === null) this.peaks.take(this.desk, this.overs());
  }

  /** @param verdicts On the layers that the server last told of, in their order. */
  private judge(verdicts: readonly string[]): void {
    const rows = this.layers?.rows ?? [];
    if (verdicts.length === rows.length) this.judged = new Map(rows.map(({ id }, row) => [id, verdicts[row]!]));
  }

  /** Whether the layers that the server last told of are those that the feed's frames are of. */
  get isLaidOut(): boolean {
    const { rows } = this.layers ?? { rows: [] };
    const { channels } = this.desk;
    return rows.length === channels.length && rows.every(({ id }, row) => id === channels[row]!.id);
  }

  private show(desk: Desk): void {
    this.desk = desk;
    this.peaks = new Peaks(desk.channels.length);
  }

  setFindings(findings: readonly Finding[]): void {
    this.findings = [...findings].sort(placed);
    const open = this.findings.filter(isOpen).reverse();
    this.openByRow = new Map(open.map((finding) => [finding.row, finding]));
  }

  /** Keeps what the feed brings from here on for a history that is asked for; `settle` ends it. */
  wait(): Meanwhile {
    const meanwhile = new Meanwhile();
    this.waiting.add(meanwhile);
    return meanwhile;
  }

  settle(meanwhile: Meanwhile): void {
    this.waiting.delete(meanwhile);
  }

  setHeat(statistic: string, heat: Heat, meanwhile: Meanwhile): void {
    this.heatStatistic = statistic;
    this.heatRows = heat.rows;
    this.heat = Rollup.from(heat, heat.rows.length);
    for (const sample of meanwhile.samples) this.extendHeat(sample);
  }

  /** @param panel What shows them; another selection takes the place of its last one. */
  setSeries(panel: string, selection: Selection, history: History, meanwhile: Meanwhile): void {
    const track = { selection, rollup: Rollup.from(history, selection.statistics.length) };
    this.tracks.set(panel, track);
    for (const sample of meanwhile.samples) this.extendTrack(track, sample);
  }

  dropSeries(panel: string): void {
    this.tracks.delete(panel);
  }

  /** The history that a panel shows; null before it is there, or where it is of something else. */
  seriesOf(panel: string, selection: Selection): Rollup | null {
    const track = this.tracks.get(panel);
    return track !== undefined && isSame(track.selection, selection) ? track.rollup : null;
  }

  /** Samples stored, as the server said, and those that came since. */
  get frames(): number {
    return (this.detail?.frames ?? 0) + this.since;
  }

  headroomOf(id: string): number | null {
    return this.headrooms.get(id) ?? null;
  }

  /** What the meter of a channel shows. */
  readingOf(channel: number): Reading {
    return this.readings()(channel);
  }

  /** `readingOf` for many channels. */
  readings(): (channel: number) => Reading {
    const [levelAt, isBroken] = [levelsOf(this.desk), this.desk.breaks()];
    return (channel) => {
      const { signal, level } = levelAt(channel);
      return {
        level,
        peak: this.peaks.peak(channel),
        headroom: signal === "pre" ? this.headroomAt(channel) : null,
        broken: isBroken(channel),
        clipped: this.peaks.isClipped(channel),
      };
    };
  }

  /** Whether a channel's level stands above what its activation passes on. */
  isOver(channel: number): boolean {
    return this.overs()(channel);
  }

  /** `isOver` for many channels. */
  private overs(): (channel: number) => boolean {
    const read = this.desk.reader("pre_db");
    return (channel) => {
      const [level, headroom] = [read(channel), this.headroomAt(channel)];
      return level !== null && headroom !== null && level > headroom;
    };
  }

  private headroomAt(channel: number): number | null {
    return this.headroomOf(this.desk.channels[channel]?.id ?? "");
  }

  openFinding(id: string): Finding | undefined {
    return this.openByRow.get(id);
  }

  /**
   * The verdict on a row: an open finding is newer than what the server last said of the row, and
   * so are the feed's numbers. What they show broken is not healthy, whoever is to blame for it.
   */
  verdictOf(id: string): string {
    return this.verdictAt(id, () => this.desk.isBroken(this.desk.find(id)));
  }

  private verdictAt(id: string, isBroken: () => boolean): string {
    const verdict = this.openFinding(id)?.verdict ?? this.judged.get(id) ?? "";
    return verdict === "healthy" && isBroken() ? "" : verdict;
  }

  /** How many layers are judged, how many may be yet, and how many are loud without a finding. */
  get counts(): { judged: number; pending: number; over: number } {
    const counts = { judged: 0, pending: 0, over: 0 };
    const [isBroken, isOver] = [this.desk.breaks(), this.overs()];
    this.desk.channels.forEach(({ id, unjudged }, channel) => {
      if (this.verdictAt(id, () => isBroken(channel)) !== "") counts.judged += 1;
      else if (unjudged === "") counts.pending += 1;
      if (isOver(channel) && this.openFinding(id) === undefined) counts.over += 1;
    });
    return counts;
  }

  /** @returns What has to be fetched again; "gone": there is nothing left to fetch. */
  receive({ message, blocks }: Decoded): readonly Part[] | "gone" {
    switch (message.type) {
      case "schema":
        return this.receiveSchema(message);
      case "frame":
        return this.receiveFrame(message, blocks);
      case "finding":
        this.receiveFinding(message.finding);
        return ["summary", "findings"];
      case "run_deleted":
        return "gone";
      case "skipped":
        return ["summary", "histories"];
      case "run_start":
      case "run_end":
      case "notice":
        return ["summary"];
      case "trial":
        this.trials += 1;
        return [];
      case "subscribed":
      case "heatmap":
      case "units":
        return [];
    }
  }

  /** What mark it has now, only the API tells. */
  private receiveFinding(finding: WireFinding): void {
    const mark = this.findings.find(({ id }) => id === finding.id)?.mark ?? null;
    this.setFindings([
      ...this.findings.filter(({ id }) => id !== finding.id),
      { before: "", ...finding, mark },
    ]);
  }

  private receiveSchema(schema: Schema): readonly Part[] {
    if (schema.worker !== CHIEF) return [];
    const first = this.schema === null;
    if (schema.attempt === this.attempt && schema.seq === this.schema) return [];
    this.attempt = schema.attempt;
    this.schema = schema.seq;
    this.newest = null;
    this.show(Desk.ofSchema(schema));
    // The first one only names what is being fetched anyway; another one begins anew.
    if (!first) return EVERYTHING;
    return this.layers === null || this.isLaidOut ? [] : ["layers"];
  }

  private receiveFrame(frame: Frame, columns: ReadonlyMap<string, Block>): readonly Part[] {
    const ours = frame.worker === CHIEF && frame.source === "probe";
    if (!ours || frame.attempt !== this.attempt || frame.schema !== this.schema) return [];
    const { newest } = this;
    // A trainer's messages may arrive in another order than they were sent in.
    if (newest !== null && frame.seq < newest.seq) return ["histories"];
    this.desk.take(columns);
    // The feed begins with the newest frame, and so does every subscription to other statistics.
    if (frame.seq === newest?.seq) return [];
    this.newest = frame;
    if (frame.step > (this.detail?.step ?? -1)) this.since += 1;
    this.step = frame.step;
    this.epoch = frame.epoch;
    this.costs = frame.costs;
    this.logs = logged(this.logs, frame.logs);
    this.peaks.take(this.desk, this.overs());
    const sample = { step: frame.step, logs: frame.logs, columns };
    for (const meanwhile of this.waiting) meanwhile.add(sample);
    this.extendHeat(sample);
    for (const track of this.tracks.values()) this.extendTrack(track, sample);
    // An attempt that goes on from a checkpoint takes the place of what was drawn after it.
    const wentBack = frame.step < this.reached;
    this.reached = frame.step;
    return wentBack ? ["histories"] : [];
  }

  /** Whether a step lies before or in what is shown. */
  private isShown(step: number): boolean {
    return this.window === null || step <= this.window.to;
  }

  private extendHeat({ step, columns }: Sample): void {
    if (!this.isShown(step)) return;
    const { channels } = this.desk;
    const read = this.desk.reader(this.heatStatistic, columns);
    this.heat?.append(step, (lane) => {
      const id = this.heatRows[lane]!;
      return read(channels[lane]?.id === id ? lane : this.desk.find(id));
    });
  }

  private extendTrack({ selection, rollup }: Track, { step, logs, columns }: Sample): void {
    const { layer, statistics, past } = selection;
    if (past !== undefined || !this.isShown(step)) return;
    const channel = layer === null ? -1 : this.desk.find(layer);
    const read = (id: string): number | null =>
      layer === null ? logOf(logs, id) : this.desk.reader(id, columns)(channel);
    rollup.append(step, (lane) => read(statistics[lane]!));
  }
}
