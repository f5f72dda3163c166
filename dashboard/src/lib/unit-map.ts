/** A layer's units over time: the share of each one's values through which almost no gradient passes. */

import type { UnitMap } from "./api";
import { Rollup } from "./rollup";

/** The first and the last unit of a group. */
export function unitsOf({ units, groups }: UnitMap, group: number): [first: number, last: number] {
  return [Math.floor((group * units) / groups), Math.floor(((group + 1) * units) / groups) - 1];
}

export function nameOf(map: UnitMap, group: number): string {
  const [first, last] = unitsOf(map, group);
  return first === last ? `unit ${first}` : `units ${first} to ${last}`;
}

/** Mean share of each group over what is shown. */
export function pinnedMeans({ groups, steps, pinned }: UnitMap): Float64Array {
  return Float64Array.from({ length: groups }, (_, group) => {
    let [sum, count] = [0, 0];
    for (const share of pinned.subarray(group * steps.length, (group + 1) * steps.length)) {
      if (Number.isNaN(share)) continue;
      sum += share;
      count += 1;
    }
    return count === 0 ? 0 : sum / count;
  });
}

/** The groups from top to bottom: as the layer has them, or the longest pinned first. */
export function orderOf(map: UnitMap, byPinned: boolean): number[] {
  const order = Array.from({ length: map.groups }, (_, group) => group);
  if (!byPinned) return order;
  const means = pinnedMeans(map);
  return order.sort((left, right) => means[right]! - means[left]! || left - right);
}

/** The map as a history, its lanes in `order`. */
export function historyOf({ groups, steps, pinned, downsampled }: UnitMap, order: readonly number[]): Rollup {
  const columns = steps.length;
  const values = new Float32Array(groups * columns);
  order.forEach((group, lane) => {
    values.set(pinned.subarray(group * columns, (group + 1) * columns), lane * columns);
  });
  const exists = (cell: number): boolean => !Number.isNaN(values[cell]);
  return Rollup.from({ steps, min: values, max: values, last: values, downsampled, exists }, groups, columns);
}

// Of its values nearly all: single ones that get through do not train a unit.
const PINNED = 0.99;

/** How many units are pinned at the newest step, in words. */
export function summaryOf(map: UnitMap): string {
  const { groups, steps, pinned } = map;
  const newest = Array.from({ length: groups }, (_, group) => pinned[(group + 1) * steps.length - 1]!);
  if (newest.every(Number.isNaN)) return "The units were not sampled at the newest step.";
  const count = newest.filter((share) => share >= PINNED).length;
  const what = map.groups === map.units ? "units" : "groups of units";
  if (count === 0) return `None of the ${groups} ${what} is pinned now.`;
  return `${count} of the ${groups} ${what} ${count === 1 ? "is" : "are"} pinned now.`;
}
