/** Peak hold and clip lights, as on a mixing desk: what was loud stays in sight for a while. */

import type { Desk } from "./desk";
import { decibels, levelsOf } from "./meter";

/** Samples for which a peak stands still, and a clip light stays lit. */
const HELD_SAMPLES = 10;
/** How fast a peak falls then, in dB a sample. */
const FALL_DB = 3;

export class Peaks {
  private readonly peaks: Float32Array;
  private readonly ages: Uint8Array;
  private readonly clips: Uint8Array;

  constructor(channels: number) {
    this.peaks = new Float32Array(channels).fill(-Infinity);
    this.ages = new Uint8Array(channels);
    this.clips = new Uint8Array(channels);
  }

  /**
   * Takes in one sample.
   *
   * @param isOver Whether a channel stands above its headroom.
   */
  take(desk: Desk, isOver: (channel: number) => boolean): void {
    const levelAt = levelsOf(desk);
    const loudest = { pre: desk.reader("pre_max"), output: desk.reader("output_max") };
    for (let channel = 0; channel < this.peaks.length; channel++) {
      const { signal } = levelAt(channel);
      const peak = decibels(loudest[signal](channel)) ?? -Infinity;
      const age = this.ages[channel]!;
      const held = this.peaks[channel]! - (age >= HELD_SAMPLES ? FALL_DB : 0);
      // NaN is above nothing, and takes no place.
      const louder = peak >= held;
      this.peaks[channel] = louder ? peak : held;
      this.ages[channel] = louder ? 0 : Math.min(age + 1, HELD_SAMPLES);
      this.clips[channel] = isOver(channel) ? HELD_SAMPLES : Math.max(0, this.clips[channel]! - 1);
    }
  }

  /** The peak that is held, in dB; null where there was none. */
  peak(channel: number): number | null {
    const peak = this.peaks[channel];
    return peak === undefined || peak === -Infinity ? null : peak;
  }

  /** Whether the channel was above its headroom in one of the last samples. */
  isClipped(channel: number): boolean {
    return (this.clips[channel] ?? 0) > 0;
  }
}
