/**
 * When the parts of a page are brought up to date that are read, rather than seen to move.
 *
 * Samples may come ten times a second. Nobody reads numbers that fast, and to lay all of them out
 * anew costs more than everything else: with each sample one part in five takes its turn, and once
 * no more samples come, all of them.
 */

const PARTS = 5;
/** So long after the last sample the others need not wait for their turns. */
const QUIET_MS = 150;

class Pace {
  private turns = $state(new Array<number>(PARTS).fill(0));
  private next = 0;
  private timer = 0;

  /** Ties what reads it to the turns of a part; any number names one. */
  follow(part: number): void {
    void this.turns[part % PARTS];
  }

  /** A sample has come. */
  beat(): void {
    this.turns[this.next]! += 1;
    this.next = (this.next + 1) % PARTS;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.settle(), QUIET_MS);
  }

  private settle(): void {
    for (let part = 0; part < PARTS; part++) this.turns[part]! += 1;
  }
}

export const pace = new Pace();
