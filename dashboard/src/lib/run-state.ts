/** All that is known of one run, advanced by what the API answers and what the feed brings. */

import type { Heat } from "./api";
import type { Finding, LayersAnswer, RunDetail } from "./contract";
import { Desk } from "./desk";
import { isOpen, placed } from "./finding";
import { numberOf } from "./number";
import { type History, Rollup } from "./rollup";
import type { Block, Decoded, Frame, Schema, WireFinding } from "./wire";

/** What has to be fetched again after a message: what it changed cannot be told from it alone. */
export type Stale = "nothing" | "summary" | "layers" | "everything";

/** The lines of one layer that are drawn. */
export interface Selection {
  layer: string;
  statistics: readonly string[];
}

interface Sample {
  step: number;
  blocks: ReadonlyMap<string, Block>;
}

// Frames that may arrive while a history that they must be added to is on its way.
const REMEMBERED = 32;

// One writer per worker, and the chief's frames are the run's.
const CHIEF = 0;

export class RunState {
  detail: RunDetail | null = null;
  desk = Desk.empty;
  step: number | null = null;
  epoch: number | null = null;
  logs: Record<string, number | null> = {};
  costs: Record<string, number> = {};
  findings: Finding[] = [];
  heat: Rollup | null = null;
  series: Rollup | null = null;
  private heatStatistic = "";
  private heatRows: readonly string[] = [];
  private selection: Selection = { layer: "", statistics: [] };
  private attempt: string | null = null;
  private schema: number | null = null;
  private samples: Sample[] = [];
  private since = 0;
  private judged = new Map<string, string>();
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
    this.judged = new Map(answer.rows.map(({ id, verdict }) => [id, verdict]));
    this.headrooms = new Map(answer.rows.map(({ id, headroom_db }) => [id, headroom_db]));
    // The feed's frames are laid out by its own schema, and its numbers are newer.
    if (this.schema === null) this.desk = Desk.ofLayers(answer.rows);
  }

  setFindings(findings: readonly Finding[]): void {
    this.findings = [...findings].sort(placed);
  }

  setHeat(statistic: string, heat: Heat): void {
    this.heatStatistic = statistic;
    this.heatRows = heat.rows;
    this.heat = Rollup.from(heat, heat.rows.length);
    for (const sample of this.samples) this.extendHeat(sample);
  }

  setSeries(selection: Selection, history: History): void {
    this.selection = selection;
    this.series = Rollup.from(history, selection.statistics.length);
    for (const sample of this.samples) this.extendSeries(sample);
  }

  /** Samples stored, as the server said, and those that came since. */
  get frames(): number {
    return (this.detail?.frames ?? 0) + this.since;
  }

  headroomOf(id: string): number | null {
    return this.headrooms.get(id) ?? null;
  }

  /** Whether a channel's level stands above what its activation passes on. */
  isOver(channel: number): boolean {
    const level = this.desk.value(channel, "pre_db");
    const headroom = this.headroomOf(this.desk.channels[channel]?.id ?? "");
    return level !== null && headroom !== null && level > headroom;
  }

  openFinding(id: string): Finding | undefined {
    return this.findings.find((finding) => finding.row === id && isOpen(finding));
  }

  /**
   * The verdict on a row: an open finding is newer than what the server last said of the row, and
   * so are the feed's numbers. What they show broken is not healthy, whoever is to blame for it.
   */
  verdictOf(id: string): string {
    const verdict = this.openFinding(id)?.verdict ?? this.judged.get(id) ?? "";
    return verdict === "healthy" && this.desk.isBroken(this.desk.find(id)) ? "" : verdict;
  }

  receive({ message, blocks }: Decoded): Stale {
    switch (message.type) {
      case "schema":
        return this.receiveSchema(message);
      case "frame":
        return this.receiveFrame(message, blocks);
      case "finding":
        this.receiveFinding(message.finding);
        return "layers";
      case "run_deleted":
      case "run_start":
      case "run_end":
      case "notice":
        return "summary";
      case "trial":
      case "heatmap":
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
    this.desk = Desk.ofSchema(schema);
    // The first one only names what is being fetched anyway; another one begins anew.
    return first ? "layers" : "everything";
  }

  private receiveFrame(frame: Frame, blocks: ReadonlyMap<string, Block>): Stale {
    const ours = frame.worker === CHIEF && frame.source === "probe";
    if (!ours || frame.attempt !== this.attempt || frame.schema !== this.schema) return "nothing";
    const sample = { step: frame.step, blocks };
    this.samples = [...this.samples.slice(1 - REMEMBERED), sample];
    // The feed begins with the newest frame, which the server had counted.
    if (frame.step > (this.detail?.step ?? -1)) this.since += 1;
    this.step = frame.step;
    this.epoch = frame.epoch;
    this.costs = frame.costs;
    if (Object.keys(frame.logs).length > 0) this.logs = frame.logs;
    this.desk.take(blocks);
    this.extendHeat(sample);
    this.extendSeries(sample);
    return "nothing";
  }

  private extendHeat({ step, blocks }: Sample): void {
    const { channels } = this.desk;
    this.heat?.append(step, (lane) => {
      const id = this.heatRows[lane]!;
      const channel = channels[lane]?.id === id ? lane : this.desk.find(id);
      return this.desk.valueIn(blocks, channel, this.heatStatistic);
    });
  }

  private extendSeries({ step, blocks }: Sample): void {
    const channel = this.desk.find(this.selection.layer);
    this.series?.append(step, (lane) =>
      this.desk.valueIn(blocks, channel, this.selection.statistics[lane]!),
    );
  }
}
