import { describe, expect, it } from "vitest";
import { aChannel, aRow, aSchema } from "../../tests/builders";
import { Desk } from "./desk";

const TWO = [aRow({ id: "r0", path: "model/hidden" }), aRow({ id: "r1", path: "model/out" })];

function columns(of: Record<string, number[]>): Map<string, { values: Float32Array }> {
  return new Map(Object.entries(of).map(([id, values]) => [id, { values: Float32Array.from(values) }]));
}

describe("a desk from the feed's schema", () => {
  it("has no values before the first frame, then those of the newest", () => {
    const desk = Desk.ofSchema(aSchema(TWO, ["pre_db", "bias_db"]));
    expect(desk.value(0, "pre_db")).toBeNull();
    desk.take(columns({ pre_db: [1, 3], bias_db: [2, 4] }));
    desk.take(columns({ pre_db: [5, 7], bias_db: [6, 8] }));
    expect([desk.value(0, "pre_db"), desk.value(1, "bias_db")]).toEqual([5, 8]);
  });

  it("tells a value that does not exist from one that was NaN", () => {
    const schema = aSchema(TWO, ["pre_db", "bias_db"]);
    schema.blocks["layers"]!.mask[0] = 0b0111; // the second row has no bias
    const desk = Desk.ofSchema(schema);
    desk.take(columns({ pre_db: [NaN, 3], bias_db: [2, NaN] }));
    expect(desk.value(0, "pre_db")).toBeNaN();
    expect(desk.value(1, "bias_db")).toBeNull();
    expect(desk.statisticsOf(0)).toEqual(["pre_db", "bias_db"]);
    expect(desk.statisticsOf(1)).toEqual(["pre_db"]);
  });

  it("lists only statistics that some layer has", () => {
    const schema = aSchema(TWO, ["pre_db", "bias_db"]);
    schema.blocks["layers"]!.mask[0] = 0b0101;
    expect(Desk.ofSchema(schema).statistics).toEqual(["pre_db"]);
  });

  it("keeps what a frame did not sample", () => {
    const desk = Desk.ofSchema(aSchema(TWO, ["pre_db", "gradient_rms"]));
    desk.take(columns({ pre_db: [1, 2], gradient_rms: [3, 4] }));
    desk.take(columns({ pre_db: [5, 6] }));
    expect([desk.value(1, "pre_db"), desk.value(1, "gradient_rms")]).toEqual([6, 4]);
  });

  it("takes no unit map for statistics, whatever its columns are called", () => {
    const schema = aSchema(TWO, ["pre_db"]);
    schema.blocks = { units: aSchema(TWO, ["unit_00", "pre_db"]).blocks["layers"]!, ...schema.blocks };
    const desk = Desk.ofSchema(schema);
    desk.take(columns({ pre_db: [1, 2], unit_00: [0.1, 0.3] }));
    expect(desk.statistics).toEqual(["pre_db"]);
    expect([desk.value(1, "pre_db"), desk.value(1, "unit_00")]).toEqual([2, null]);
  });

  it("reads a statistic that two blocks have as the first of them has it", () => {
    const schema = aSchema(TWO, ["pre_db"]);
    schema.blocks = { ...schema.blocks, others: { ...schema.blocks["layers"]!, mask: Uint8Array.of(0) } };
    expect(Desk.ofSchema(schema).statistics).toEqual(["pre_db"]);
  });

  it("shows no value where a column is shorter than its schema says", () => {
    const desk = Desk.ofSchema(aSchema(TWO, ["pre_db"]));
    desk.take(columns({ pre_db: [1] }));
    expect(desk.value(1, "pre_db")).toBeNull();
  });
});

describe("a desk from the API's answer", () => {
  it("reads absent, finite and non-finite values", () => {
    const desk = Desk.ofLayers([
      { ...aChannel({ id: "r0" }), values: { pre_db: 3, nonfinite_rate: "NaN" } },
      { ...aChannel({ id: "r1" }), values: { pre_db: "-Infinity" } },
    ]);
    expect(desk.value(0, "pre_db")).toBe(3);
    expect(desk.value(0, "nonfinite_rate")).toBeNaN();
    expect(desk.value(1, "pre_db")).toBe(-Infinity);
    expect(desk.value(1, "nonfinite_rate")).toBeNull();
  });
});

it.each([
  ["its level is NaN", "pre_db", NaN],
  ["its level is infinite", "output_db", Infinity],
  ["a share of its outputs is not finite", "nonfinite_rate", 1e-6],
  ["a share of its weights is not finite", "weight_nonfinite_rate", 1],
  ["such a share is itself NaN", "nonfinite_rate", NaN],
])("a channel is broken where %s", (_, statistic, value) => {
  const desk = Desk.ofSchema(aSchema(TWO, [statistic]));
  expect([desk.isBroken(0), desk.isBroken(-1)]).toEqual([false, false]);
  desk.take(columns({ [statistic]: [value, 0] }));
  expect([desk.isBroken(0), desk.isBroken(1)]).toEqual([true, false]);
});

it("a silent channel is not broken", () => {
  const desk = Desk.ofSchema(aSchema(TWO, ["pre_db"]));
  desk.take(columns({ pre_db: [-Infinity, 0] }));
  expect(desk.isBroken(0)).toBe(false);
});

it("finds a layer by its id before one whose path looks like it", () => {
  const desk = Desk.ofSchema(
    aSchema([aRow({ id: "r0", path: "r1" }), aRow({ id: "r1", path: "x" })], []),
  );
  expect([desk.find("r1"), desk.find("x"), desk.find("nothing")]).toEqual([1, 1, -1]);
});
