/** Numbers and times as the API writes them, and as a person reads them. */

/** JSON has no NaN: the API writes null for an absent value and a name for a non-finite one. */
export type JsonNumber = number | "NaN" | "Infinity" | "-Infinity" | null;

const ABSENT = "–";
const MINUS = "−";
const NARROW_SPACE = "\u202f";

type Languages = readonly string[] | string;

/** How the reader's language writes numbers and times. */
function formatsOf(languages: Languages) {
  const decimals = (digits: Intl.NumberFormatOptions) => new Intl.NumberFormat([...[languages].flat()], digits);
  const fixed = [0, 1, 2, 3].map((digits) =>
    decimals({ minimumFractionDigits: digits, maximumFractionDigits: digits }),
  );
  return {
    fixed,
    level: decimals({ minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" }),
    least: [0, 1, 2, 3].map((digits) => decimals({ maximumFractionDigits: digits })),
    small: decimals({ maximumSignificantDigits: 3 }),
    count: decimals({ maximumFractionDigits: 0 }),
    time: new Intl.DateTimeFormat([...[languages].flat()], { dateStyle: "medium", timeStyle: "short" }),
  };
}

let formats = formatsOf("en");

/** From now on writes as readers of these languages expect; the first that is known counts. */
export function speak(languages: Languages): void {
  formats = formatsOf(languages);
}

function written(format: Intl.NumberFormat, value: number): string {
  return format.format(value).replace("-", MINUS);
}

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

export function formatDb(value: number | null, unit = true): string {
  if (value === null) return ABSENT;
  const text = Number.isFinite(value) ? written(formats.level, value) : nonFinite(value);
  return unit ? `${text}${NARROW_SPACE}dB` : text;
}

/** A share of 1 in percent; a share that is not quite none or all never rounds to it. */
export function formatShare(value: number | null): string {
  if (value === null) return ABSENT;
  if (!Number.isFinite(value)) return nonFinite(value);
  const percent = 100 * value;
  const unit = `${NARROW_SPACE}%`;
  if (percent > 0 && percent < 0.1) return `<${NARROW_SPACE}${written(formats.fixed[1]!, 0.1)}${unit}`;
  if (percent < 100 && percent > 99.9) return `>${NARROW_SPACE}${written(formats.fixed[1]!, 99.9)}${unit}`;
  const digits = percent !== 0 && percent !== 100 && (percent < 10 || percent > 99) ? 1 : 0;
  return written(formats.fixed[digits]!, percent) + unit;
}

/** A plain number: three significant digits, or three decimals where that is more. */
export function formatNumber(value: number | null): string {
  if (value === null) return ABSENT;
  if (!Number.isFinite(value)) return nonFinite(value);
  // A float32 of 1e-4 lies a little below it.
  const size = Math.abs(Number(value.toPrecision(3)));
  // As in Python code, which stands beside it: 0.0003 has no exponent yet.
  if (size !== 0 && (size < 1e-4 || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${written(formats.least[2]!, Number(mantissa))}e${Number(exponent)}`.replace("e-", `e${MINUS}`);
  }
  if (size < 1e-2) return written(formats.small, value);
  return written(formats.least[size >= 100 ? 1 : size >= 10 ? 2 : 3]!, value);
}

/** A count with its thousands set apart. */
export function formatCount(value: number | null): string {
  return value === null ? ABSENT : written(formats.count, value);
}

/** The last second that a `Date` knows. */
const LAST_SECOND = 8.64e12;

/** A moment in the reader's time zone; `seconds` are Unix time. */
export function formatTime(seconds: number): string {
  return Math.abs(seconds) <= LAST_SECOND ? formats.time.format(1_000 * seconds) : ABSENT;
}

/** The same for machines, as `<time datetime>` takes it. */
export function machineTime(seconds: number): string {
  return Math.abs(seconds) <= LAST_SECOND ? new Date(1_000 * seconds).toISOString() : "";
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
