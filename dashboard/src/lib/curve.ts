/** An activation function as the server sampled it, for any stretch of z. */

export interface Curve {
  /** Rising. */
  z: readonly number[];
  f: readonly number[];
}

// A curve as flat as this at its end is on its way to a bound: that is what saturation means.
const FLAT = 0.01;

/** Between the samples on a straight line; beyond them on as it went, unless it was flat. */
export function valueOn({ z, f }: Curve, at: number): number {
  let [low, high] = [0, z.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (z[middle]! <= at) low = middle;
    else high = middle;
  }
  const span = z[high]! - z[low]!;
  if (!(span > 0)) return f[low] ?? NaN;
  const slope = (f[high]! - f[low]!) / span;
  const beyond = at < z[low]! || at > z[high]!;
  if (beyond && Math.abs(slope) < FLAT) return at < z[low]! ? f[low]! : f[high]!;
  return f[low]! + (at - z[low]!) * slope;
}

/** The curve from `low` to `high`, both ends included. */
export function stretch(curve: Curve, low: number, high: number): Curve {
  const inside = curve.z.flatMap((z, index) => (z > low && z < high ? [index] : []));
  return {
    z: [low, ...inside.map((index) => curve.z[index]!), high],
    f: [valueOn(curve, low), ...inside.map((index) => curve.f[index]!), valueOn(curve, high)],
  };
}

const MARGIN = 0.08;

/** What of f is shown, with room at both ends. */
export function heightsOf({ f }: Curve): { low: number; high: number } {
  const [low, high] = [Math.min(...f), Math.max(...f)];
  const margin = MARGIN * (high - low) || 1;
  return { low: low - margin, high: high + margin };
}
