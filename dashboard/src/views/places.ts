/** Where the strips of the console have what is drawn over them: all have it in the same places. */

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Places {
  meter: Box;
  /** The numbers and bars of a strip by what they are of, and all of them; none where there is no room. */
  numbers: ReadonlyMap<string, Box & { font: string }>;
  bars: ReadonlyMap<string, Box>;
  readings: Box;
}

const NOWHERE: Box = { left: 0, top: 0, width: 0, height: 0 };
export const NO_PLACES: Places = { meter: NOWHERE, numbers: new Map(), bars: new Map(), readings: NOWHERE };

/** Measures the first of the strips in `host`: from its left side, and from the top of `host`. */
export function placesIn(host: HTMLElement): Places {
  const strip = host.querySelector<HTMLElement>("[role=option]");
  const meter = strip?.querySelector<HTMLElement>("[data-meter]");
  if (!strip || !meter) return NO_PLACES;
  const [{ left }, { top }] = [strip.getBoundingClientRect(), host.getBoundingClientRect()];
  const boxOf = (element: HTMLElement): Box => {
    const found = element.getBoundingClientRect();
    return { left: found.left - left, top: found.top - top, width: found.width, height: found.height };
  };
  const all = (name: string) => [...strip.querySelectorAll<HTMLElement>(`[data-${name}]`)].map((element) => [element.dataset[name]!, element] as const);
  const numbers = all("number").map(([of, element]) => [of, { ...boxOf(element), font: fontOf(element) }] as const);
  const ends = numbers.map(([, box]) => [box.top, box.top + box.height] as const).flat();
  return {
    meter: boxOf(meter),
    numbers: new Map(numbers),
    bars: new Map(all("bar").map(([of, element]) => [of, boxOf(element)])),
    readings: numbers.length === 0 ? NOWHERE : { ...boxOf(strip), top: Math.min(...ends), height: Math.max(...ends) - Math.min(...ends) },
  };
}

/** As canvases understand it; where digits are as wide as one another, the style's own `font` is empty. */
function fontOf(element: HTMLElement): string {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontWeight} ${fontSize} ${fontFamily}`;
}
