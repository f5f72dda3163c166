/** Moments in the reader's own time zone and language. */

const OWN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A moment, Unix time in seconds, as the reader's calendar and clock write it. */
export function formatMoment(seconds: number, format: Intl.DateTimeFormat = OWN): string {
  return format.format(1_000 * seconds);
}

/** The same for machines, as `<time datetime>` takes it. */
export function machineMoment(seconds: number): string {
  return new Date(1_000 * seconds).toISOString();
}
