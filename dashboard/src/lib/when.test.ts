import { expect, it } from "vitest";
import { formatMoment, machineMoment } from "./when";

it.each([
  ["en-GB", "UTC", "14 Nov 2023, 22:13"],
  ["en-GB", "Asia/Tokyo", "15 Nov 2023, 07:13"],
  ["de", "Europe/Berlin", "14.11.2023, 23:13"],
])("writes a moment as readers of %s in %s do", (locale, timeZone, written) => {
  const format = new Intl.DateTimeFormat(locale, {
    dateStyle: "medium",
    timeStyle: "short",
    timeZone,
  });
  expect(formatMoment(1_700_000_000, format)).toBe(written);
});

it("writes it for machines in one way", () => {
  expect(machineMoment(1_700_000_000.25)).toBe("2023-11-14T22:13:20.250Z");
});
