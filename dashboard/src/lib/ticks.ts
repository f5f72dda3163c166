/** Round numbers along an axis. */

const NICE = [1, 2, 5, 10];
// Up to so many times more than wanted, rather than less than half as many.
const MORE = 1.6;

/** Round multiples of one step between `low` and `high`, about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, wanted);
  const decade = 10 ** Math.floor(Math.log10(rough));
  // Steps of the optimizer are whole.
  const step = Math.max(1, decade * NICE.find((factor) => factor * decade * MORE >= rough)!);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}
