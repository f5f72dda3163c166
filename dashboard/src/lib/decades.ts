/** A logarithmic axis from one power of ten to another. */

// Of a magnitude that was never anything but 0.
const NONE: [number, number] = [1e-3, 1];

// As it is read: `10 ** -5` is not the number that is written 1e-5, and a label would be missed.
function power(exponent: number): number {
  return Number(`1e${exponent}`);
}

/** The powers of ten around what is drawn, a decade at least; null where nothing is above 0. */
export function decades(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0)) return NONE;
  const from = Math.floor(Math.log10(low));
  return [power(from), power(Math.max(Math.ceil(Math.log10(high)), from + 1))];
}

/** One to nine times each power of ten. uPlot's own round to 0 below 1e-17, and never end. */
export function logTicks(low: number, high: number): number[] {
  const [from, to] = [low, high].map((end) => Math.round(Math.log10(end))) as [number, number];
  const within = Array.from({ length: to - from }, (_, decade) =>
    Array.from({ length: 9 }, (_, index) => Number(`${index + 1}e${from + decade}`)),
  );
  return [...within.flat(), power(to)];
}

/** Whether a tick is a power of ten. */
export function isDecade(tick: number): boolean {
  return tick.toExponential().startsWith("1e");
}
