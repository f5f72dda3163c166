import { expect, it } from "vitest";
import { courseOf } from "../../tests/histories";

const COURSE = courseOf({ pre_db: [1, NaN, 3], dead_units: [null, null, null] });

it("finds a statistic's values by its name", () => {
  expect(COURSE.value("last", "pre_db", 2)).toBe(3);
});

it("has no value of a statistic that is not in it, nor beside its columns", () => {
  expect([COURSE.value("last", "gain_db", 0), COURSE.value("last", "pre_db", 3)]).toEqual([null, null]);
});

it("has a statistic only where something was sampled of it", () => {
  expect(["pre_db", "dead_units", "gain_db"].map((id) => COURSE.has(id))).toEqual([true, false, false]);
});

it("draws no NaN", () => {
  expect(COURSE.finite("last", "pre_db", 1)).toBeNull();
});

it("reads the newest column where no step is pointed at, else the nearest", () => {
  expect([COURSE.columnAt(null), COURSE.columnAt(14)]).toEqual([2, 0]);
});

it("reads what is sampled seldom from where it was sampled last", () => {
  const course = courseOf({ gradient_rms: [null, 2, null, 4] });
  expect([0, 1, 2, 9].map((column) => course.latest("gradient_rms", column))).toEqual([null, 2, 2, 4]);
});

it("tells what was always 0 from what was not, NaN included", () => {
  const course = courseOf({ a: [0, 0], b: [0, 0.1], c: [0, NaN], d: [null, 0] });
  expect(["a", "b", "c", "d"].map((id) => course.isAny(id))).toEqual([false, true, true, false]);
});
