/**
 * When the parts of a page are brought up to date that are read, rather than seen to move.
 *
 * Samples may come ten times a second. Nobody reads numbers that fast, and to lay all of them out
 * anew costs more than everything else: with each sample one part in five takes its turn, and once
 * no more samples come, all of them.
 */

const PARTS = 5;
/** What costs more than its turn is worth, such as lines of hundreds of points, has one turn in so many. */
const SELDOM = 5 * PARTS;
/** So long after the last sample the others need not wait for their turns. */
const QUIET_MS = 150;

class Pace {
  private turns = $state(new Array<number>(PARTS).fill(0));
  private seldom = $state(0);
  private beats = 0;
  private timer = 0;

  /** Ties what reads it to the turns of a part; any number names one. */
  follow(part: number): void {
    void this.turns[part % PARTS];
  }

  /** Ties what reads it to turns that come seldom. */
  followSeldom(): void {
    void this.seldom;
  }

  /** A sample has come. */
  beat(): void {
    this.beats += 1;
    this.turns[this.beats % PARTS]! += 1;
    if (this.beats % SELDOM === 0) this.seldom += 1;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.settle(), QUIET_MS);
  }

  private settle(): void {
    for (let part = 0; part < PARTS; part++) this.turns[part]! += 1;
    this.seldom += 1;
  }
}

export const pace = new Pace();
