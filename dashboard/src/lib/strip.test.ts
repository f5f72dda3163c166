import { expect, it } from "vitest";
import { aFrame, aRow, aSchema } from "../../tests/builders";
import { Desk } from "./desk";
import { LINES, spoken } from "./strip";

function filled(statistic: string, value: number | null): readonly number[] {
  return LINES.find((line) => line.statistic === statistic)!.filled(value);
}

it("leans left below 0 dB and right above, and no further than its ends", () => {
  expect([-20, 0, 20, 90].map((value) => filled("gain_db", value))).toEqual([
    [0.25, 0.5],
    [0.5, 0.5],
    [0.5, 0.75],
    [0.5, 1],
  ]);
});

it("fills a share from the left", () => {
  expect([0, 0.25, 2].map((value) => filled("saturation_rate", value))).toEqual([[0, 0], [0, 0.25], [0, 1]]);
});

it("leaves a bar empty where there is no number", () => {
  expect([null, NaN].map((value) => filled("input_db", value))).toEqual([[0.5, 0.5], [0.5, 0.5]]);
  expect([null, NaN].map((value) => filled("saturation_rate", value))).toEqual([[0, 0], [0, 0]]);
});

it("says what is drawn, and nothing of what is not there", () => {
  const desk = Desk.ofSchema(aSchema([aRow()], ["pre_db", "gain_db", "saturation_rate"]));
  desk.take(aFrame(1, { pre_db: [12.5], gain_db: [-3], saturation_rate: [0.5] }).blocks);
  expect(spoken(desk, 0).replaceAll("\u202f", " ")).toBe("pre level +12.5 dB; Kernel gain −3.0; Saturation rate 50 %");
});
