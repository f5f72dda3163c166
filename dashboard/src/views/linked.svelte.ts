/** Where the reader points: one step and one layer for everything that is drawn of a run. */

class Linked {
  step = $state<number | null>(null);
  channel = $state<number | null>(null);

  clear(): void {
    this.step = null;
    this.channel = null;
  }
}

export const linked = new Linked();
