/**
 * When what is drawn of a run's samples is brought up to date.
 *
 * Samples may come ten times a second. What is seen to move follows each of them; nobody reads
 * numbers that fast, and to lay them out anew costs more than everything else, so that what is read
 * has a turn with one sample in five. Pictures have theirs between, so that no sample brings both.
 * Once no more samples come, everything has a turn.
 */

type Rhythm = "sample" | "picture";

const TURN = 5;
const PICTURE = 2;
/** What costs more than such a turn is worth, such as lines of hundreds of points. */
const SELDOM = { every: 5 * TURN, at: 4 };
/** So long after the last sample the others need not wait for their turns; samples may be late. */
const QUIET_MS = 400;

class Pace {
  private texts = $state(0);
  private seldom = $state(0);
  private samples = 0;
  private timer = 0;
  private readonly calls: Readonly<Record<Rhythm, Set<() => void>>> = {
    sample: new Set(),
    picture: new Set(),
  };

  /** Calls back whenever it is time to draw; returns how to end that. */
  on(rhythm: Rhythm, call: () => void): () => void {
    this.calls[rhythm].add(call);
    return () => this.calls[rhythm].delete(call);
  }

  /** Ties what reads it, and numbers of samples with it, to the turns of what is read. */
  follow(): void {
    void this.texts;
  }

  /** Ties what reads it to turns that come seldom. */
  followSeldom(): void {
    void this.seldom;
  }

  /** A sample has come. */
  beat(): void {
    this.samples += 1;
    // Whoever does not look misses nothing that the last sample does not bring as well.
    if (!document.hidden) {
      this.tell("sample");
      if (this.samples % TURN === PICTURE) this.tell("picture");
    }
    if (this.samples % TURN === 0) this.texts += 1;
    if (this.samples % SELDOM.every === SELDOM.at) this.seldom += 1;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.settle(), QUIET_MS);
  }

  private settle(): void {
    this.tell("sample");
    this.tell("picture");
    this.texts += 1;
    this.seldom += 1;
  }

  private tell(rhythm: Rhythm): void {
    for (const call of this.calls[rhythm]) call();
  }
}

export const pace = new Pace();

/** What `read` gives, for views of what samples bring: reading it in one ties it to its turns. */
export function sampled<T>(read: () => T): { readonly now: T } {
  return {
    get now() {
      pace.follow();
      return read();
    },
  };
}
