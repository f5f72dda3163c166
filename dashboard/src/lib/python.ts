/** Numbers as Python code writes them. */

// From here on Python's `repr` of a float has an exponent.
const LARGE = 16;

/**
 * `value` in so many significant digits, without zeros at their end.
 *
 * @param large The power of ten from which on it has an exponent: that of `repr`; of Python's format
 *   `.2g` it is the digits.
 */
export function pythonNumber(value: number, digits: number, large = LARGE): string {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= large) {
    const two = String(Math.abs(power)).padStart(2, "0");
    return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${two}`;
  }
  return String(Number(value.toPrecision(digits)));
}
