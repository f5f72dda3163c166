/** All that is known of one run, advanced by what the API answers and what the feed brings. */

import type { Heat } from "./api";
import type { Finding, LayersAnswer, RunDetail } from "./contract";
import { Desk } from "./desk";
import { isOpen, placed } from "./finding";
import { logOf } from "./logs";
import { levelOf, type Reading } from "./meter";
import { numberOf } from "./number";
import { Peaks } from "./peaks";
import { type History, Rollup } from "./rollup";
import type { Block, Decoded, Frame, Schema, WireFinding } from "./wire";

/** What has to be fetched again after a message: what it changed cannot be told from it alone. */
export type Stale = "nothing" | "summary" | "layers" | "everything";

/** Some statistics of one layer that are drawn together; null is no layer: logs of the training. */
export interface Selection {
  layer: string | null;
  statistics: readonly string[];
}

export function isSame(left: Selection, right: Selection): boolean {
  return left.layer === right.layer && JSON.stringify(left.statistics) === JSON.stringify(right.statistics);
}

/** The steps that are shown, both ends included; null: all of them, and those to come. */
export type Window = { from: number; to: number } | null;

/** Lanes that grow with the feed. */
interface Track {
  selection: Selection;
  rollup: Rollup;
}

interface Sample {
  step: number;
  logs: Readonly<Record<string, number>>;
  blocks: ReadonlyMap<string, Block>;
}

// Frames that may arrive while a history that they must be added to is on its way.
const REMEMBERED = 32;

// One writer per worker, and the chief's frames are the run's.
const CHIEF = 0;

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
  private samples: Sample[] = [];
  private since = 0;
  /** Peaks and clip lights of the desk's channels. */
  peaks = new Peaks(0);
  private judged = new Map<string, string>();
  private openByRow = new Map<string, Finding>();
  private headrooms = new Map<string, number | null>();

  setDetail(detail: RunDetail): void {
    this.detail = detail;
    this.since = 0;
    if (this.samples.length > 0) return; // the feed's numbers are newer
    this.step = detail.step;
    this.epoch = detail.epoch;
    this.logs = Object.fromEntries(
      Object.entries(detail.logs).map(([name, value]) => [name, numberOf(value)]),
    );
  }

  setLayers(answer: LayersAnswer): void {
    this.layers = answer;
    this.judged = new Map(answer.rows.map(({ id, verdict }) => [id, verdict]));
    this.headrooms = new Map(answer.rows.map(({ id, headroom_db }) => [id, headroom_db]));
    // The feed's frames are laid out by its own schema, and its numbers are newer.
    if (this.schema === null) this.show(Desk.ofLayers(answer.rows));
    // Headrooms come with this answer, and with the first one what is over them; no sample came.
    if (this.samples.length === 0) this.peaks.take(this.desk, (channel) => this.isOver(channel));
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

  setHeat(statistic: string, heat: Heat): void {
    this.heatStatistic = statistic;
    this.heatRows = heat.rows;
    this.heat = Rollup.from(heat, heat.rows.length);
    for (const sample of this.samples) this.extendHeat(sample);
  }

  /** @param panel What shows them; another selection takes the place of its last one. */
  setSeries(panel: string, selection: Selection, history: History): void {
    const track = { selection, rollup: Rollup.from(history, selection.statistics.length) };
    this.tracks.set(panel, track);
    for (const sample of this.samples) this.extendTrack(track, sample);
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
    const { signal, level } = levelOf(this.desk, channel);
    return {
      level,
      peak: this.peaks.peak(channel),
      headroom: signal === "pre" ? this.headroomOf(this.desk.channels[channel]?.id ?? "") : null,
      broken: this.desk.isBroken(channel),
      clipped: this.peaks.isClipped(channel),
    };
  }

  /** Whether a channel's level stands above what its activation passes on. */
  isOver(channel: number): boolean {
    const level = this.desk.value(channel, "pre_db");
    const headroom = this.headroomOf(this.desk.channels[channel]?.id ?? "");
    return level !== null && headroom !== null && level > headroom;
  }

  openFinding(id: string): Finding | undefined {
    return this.openByRow.get(id);
  }

  /**
   * The verdict on a row: an open finding is newer than what the server last said of the row, and
   * so are the feed's numbers. What they show broken is not healthy, whoever is to blame for it.
   */
  verdictOf(id: string): string {
    const verdict = this.openFinding(id)?.verdict ?? this.judged.get(id) ?? "";
    return verdict === "healthy" && this.desk.isBroken(this.desk.find(id)) ? "" : verdict;
  }

  /** How many layers are judged, how many may be yet, and how many stand over their headroom. */
  get counts(): { judged: number; pending: number; over: number } {
    const counts = { judged: 0, pending: 0, over: 0 };
    this.desk.channels.forEach(({ id, unjudged }, channel) => {
      if (this.verdictOf(id) !== "") counts.judged += 1;
      else if (unjudged === "") counts.pending += 1;
      if (this.isOver(channel)) counts.over += 1;
    });
    return counts;
  }

  /** @returns What has to be fetched again; "gone": there is nothing left to fetch. */
  receive({ message, blocks }: Decoded): Stale | "gone" {
    switch (message.type) {
      case "schema":
        return this.receiveSchema(message);
      case "frame":
        return this.receiveFrame(message, blocks);
      case "finding":
        this.receiveFinding(message.finding);
        return "layers";
      case "run_deleted":
        return "gone";
      case "run_start":
      case "run_end":
      case "notice":
        return "summary";
      case "trial":
        this.trials += 1;
        return "nothing";
      case "heatmap":
      case "units":
        return "nothing";
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

  private receiveSchema(schema: Schema): Stale {
    if (schema.worker !== CHIEF) return "nothing";
    const first = this.schema === null;
    if (schema.attempt === this.attempt && schema.seq === this.schema) return "nothing";
    this.attempt = schema.attempt;
    this.schema = schema.seq;
    this.samples = [];
    this.show(Desk.ofSchema(schema));
    // The first one only names what is being fetched anyway; another one begins anew.
    return first ? "layers" : "everything";
  }

  private receiveFrame(frame: Frame, blocks: ReadonlyMap<string, Block>): Stale {
    const ours = frame.worker === CHIEF && frame.source === "probe";
    if (!ours || frame.attempt !== this.attempt || frame.schema !== this.schema) return "nothing";
    const sample = { step: frame.step, logs: frame.logs, blocks };
    this.samples = [...this.samples.slice(1 - REMEMBERED), sample];
    // The feed begins with the newest frame, which the server had counted.
    if (frame.step > (this.detail?.step ?? -1)) this.since += 1;
    this.step = frame.step;
    this.epoch = frame.epoch;
    this.costs = frame.costs;
    this.logs = { ...this.logs, ...frame.logs }; // not every sample need log the same
    this.desk.take(blocks);
    this.peaks.take(this.desk, (channel) => this.isOver(channel));
    this.extendHeat(sample);
    for (const track of this.tracks.values()) this.extendTrack(track, sample);
    return "nothing";
  }

  /** Whether a step lies before or in what is shown. */
  private isShown(step: number): boolean {
    return this.window === null || step <= this.window.to;
  }

  private extendHeat({ step, blocks }: Sample): void {
    if (!this.isShown(step)) return;
    const { channels } = this.desk;
    this.heat?.append(step, (lane) => {
      const id = this.heatRows[lane]!;
      const channel = channels[lane]?.id === id ? lane : this.desk.find(id);
      return this.desk.valueIn(blocks, channel, this.heatStatistic);
    });
  }

  private extendTrack({ selection, rollup }: Track, { step, logs, blocks }: Sample): void {
    if (!this.isShown(step)) return;
    const { layer, statistics } = selection;
    const channel = layer === null ? -1 : this.desk.find(layer);
    const read = (id: string): number | null =>
      layer === null ? logOf(logs, id) : this.desk.valueIn(blocks, channel, id);
    rollup.append(step, (lane) => read(statistics[lane]!));
  }
}
