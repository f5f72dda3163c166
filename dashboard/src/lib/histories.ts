/** What is shown of a run's past: asked for once the feed brings what comes after it. */

import type { Api } from "./api";
import { READ } from "./desk";
import type { Meanwhile } from "./meanwhile";
import { isSame, type RunState, type Selection, type Window } from "./run-state";

const HEAT_POINTS = 600;
const SERIES_POINTS = 600;
const HEAT = Symbol("heat");

type Panel = string | typeof HEAT;

/** How whole what a panel shows is: never asked for, or with steps missing that the feed did not bring. */
type Lack = "all" | "some";

export class Histories {
  private statistic = "";
  private readonly selections = new Map<string, Selection>();
  private readonly lacking = new Map<Panel, Lack>();
  /** Panels whose history is on its way: one question each, and the server has no more of them. */
  private readonly asking = new Set<Panel>();
  /** Those of them that wait for their next question. */
  private readonly waiting = new Set<Panel>();

  constructor(
    private readonly run: string,
    private readonly state: RunState,
    private readonly api: Api,
  ) {}

  /** The statistics that the feed's frames have to bring for all that is shown. */
  get statistics(): readonly string[] {
    const selected = [...this.selections.values()].filter(({ layer, past }) => layer !== null && past === undefined);
    const wanted = [...READ, this.statistic, ...selected.flatMap(({ statistics }) => statistics)];
    return [...new Set(wanted)].filter((id) => id !== "").sort();
  }

  /** @returns Whether something is shown that was not. */
  showHeat(statistic: string): boolean {
    if (statistic === this.statistic) return false;
    this.statistic = statistic;
    this.lacking.set(HEAT, "all");
    return true;
  }

  /**
   * @param panel What shows the selection; it shows one at a time.
   * @returns Whether something is shown that was not.
   */
  showSeries(panel: string, selection: Selection): boolean {
    const now = this.selections.get(panel);
    if (now !== undefined && isSame(now, selection)) return false;
    this.selections.set(panel, selection);
    this.lacking.set(panel, "all");
    return true;
  }

  hideSeries(panel: string): void {
    this.selections.delete(panel);
    this.lacking.delete(panel);
    this.waiting.delete(panel);
    this.state.dropSeries(panel);
  }

  /** @returns Whether other steps are shown than were. */
  zoom(window: Window): boolean {
    const { window: now } = this.state;
    if (window?.from === now?.from && window?.to === now?.to) return false;
    this.state.window = window;
    this.lack("all");
    return true;
  }

  /** Something is missing in all that is shown. */
  lack(what: Lack): void {
    if (this.statistic !== "") this.mark(HEAT, what);
    for (const panel of this.selections.keys()) this.mark(panel, what);
  }

  /** Of what the feed does not bring, there may be more by now. */
  lackOthers(): void {
    for (const [panel, { past }] of this.selections) {
      if (past !== undefined && past.branch === null) this.mark(panel, "some");
    }
  }

  private mark(panel: Panel, what: Lack): void {
    if (this.lacking.get(panel) !== "all") this.lacking.set(panel, what);
  }

  /**
   * Fetches what is lacking.
   *
   * @param followed Whether the feed brings what comes after it. Without it only what was never
   * asked for is fetched, and goes on lacking what comes.
   * @returns What is on its way, each history by itself.
   */
  fetch(followed: boolean): Promise<void>[] {
    const due = [...this.lacking].filter(([, lack]) => followed || lack === "all").map(([panel]) => panel);
    const free = due.filter((panel) => !this.asking.has(panel));
    for (const panel of due) if (this.asking.has(panel)) this.waiting.add(panel);
    for (const panel of free) {
      this.waiting.delete(panel);
      if (followed) this.lacking.delete(panel);
      else this.lacking.set(panel, "some");
    }
    return free.map((panel) => this.attempt(panel));
  }

  /** Whether something could be fetched now that waited for another question. */
  get isDue(): boolean {
    return [...this.waiting].some((panel) => !this.asking.has(panel));
  }

  private async attempt(panel: Panel): Promise<void> {
    const meanwhile = this.state.wait();
    this.asking.add(panel);
    try {
      await (panel === HEAT ? this.fetchHeat(meanwhile) : this.fetchSeries(panel, meanwhile));
    } catch (error) {
      this.miss(panel);
      throw error;
    } finally {
      this.state.settle(meanwhile);
      this.asking.delete(panel);
    }
    if (!meanwhile.isWhole) this.miss(panel);
  }

  /** The panel may show something else by now, or nothing any more. */
  private miss(panel: Panel): void {
    if (panel === HEAT || this.selections.has(panel)) this.mark(panel, "some");
  }

  private async fetchHeat(meanwhile: Meanwhile): Promise<void> {
    const { statistic } = this;
    const { window } = this.state;
    const heat = await this.api.heatmap(this.run, statistic, HEAT_POINTS, window);
    // Something else may have been chosen meanwhile.
    if (statistic === this.statistic && window === this.state.window) {
      this.state.setHeat(statistic, heat, meanwhile);
    }
  }

  private async fetchSeries(panel: string, meanwhile: Meanwhile): Promise<void> {
    const selection = this.selections.get(panel);
    const { window } = this.state;
    if (selection === undefined || selection.layer === "" || selection.statistics.length === 0) return;
    const { layer, statistics, past } = selection;
    const history =
      layer === null
        ? await this.api.logs(this.run, statistics, SERIES_POINTS, window)
        : await this.api.series(this.run, layer, statistics, SERIES_POINTS, window, past);
    if (selection === this.selections.get(panel) && window === this.state.window) {
      this.state.setSeries(panel, selection, history, meanwhile);
    }
  }
}
