/** Numbers as the API writes them, and as a person reads them. */

/** JSON has no NaN: the API writes null for an absent value and a name for a non-finite one. */
export type JsonNumber = number | "NaN" | "Infinity" | "-Infinity" | null;

const ABSENT = "–";
const MINUS = "−";
const NARROW_SPACE = "\u202f";

/** The number meant by `value`; null where it is absent. */
export function numberOf(value: JsonNumber | undefined): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return value;
  return Number(value); // "NaN", "Infinity" and "-Infinity" are what Number() reads
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+∞" : `${MINUS}∞`;
}

function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  // -0.04 rounds to "0.0", which has no sign.
  if (Number(text) === 0) return text;
  return (value < 0 ? MINUS : "+") + text;
}

export function formatDb(value: number | null, unit = true): string {
  if (value === null) return ABSENT;
  const text = Number.isFinite(value) ? signed(value, 1) : nonFinite(value);
  return unit ? `${text}${NARROW_SPACE}dB` : text;
}

/** A share of 1 in percent; a share that is not quite none or all never rounds to it. */
export function formatShare(value: number | null): string {
  if (value === null) return ABSENT;
  if (!Number.isFinite(value)) return nonFinite(value);
  const percent = 100 * value;
  const unit = `${NARROW_SPACE}%`;
  if (percent > 0 && percent < 0.1) return `<${NARROW_SPACE}0.1${unit}`;
  if (percent < 100 && percent > 99.9) return `>${NARROW_SPACE}99.9${unit}`;
  const digits = percent !== 0 && percent !== 100 && (percent < 10 || percent > 99) ? 1 : 0;
  return percent.toFixed(digits).replace("-", MINUS) + unit;
}

/** A plain number in three significant digits. */
export function formatNumber(value: number | null): string {
  if (value === null) return ABSENT;
  if (!Number.isFinite(value)) return nonFinite(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${mantissa}e${Number(exponent)}`.replaceAll("-", MINUS);
  }
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : 3;
  return Number(value.toFixed(digits)).toString().replace("-", MINUS);
}

/** A count with its thousands set apart. */
export function formatCount(value: number | null): string {
  if (value === null) return ABSENT;
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE);
}

const AGES: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** How long before `now` a moment lay; both are Unix times in seconds. */
export function formatAge(then: number, now: number): string {
  const seconds = now - then;
  for (const [size, unit] of AGES) {
    if (seconds >= size) return `${Math.floor(seconds / size)}${NARROW_SPACE}${unit} ago`;
  }
  return seconds < 5 ? "now" : `${Math.floor(seconds)}${NARROW_SPACE}s ago`;
}
