/** What a layer's activation makes of a value: where it saturates, and its curve. */

import type { Activations } from "./contract";
import type { Curve } from "./curve";
import type { Edges } from "./fan";

export interface Response {
  name: string;
  edges: Edges;
  /** null where f mixes units. */
  curve: Curve | null;
}

/**
 * @param table null while it is not there.
 * @param name null where nothing follows the pre-activation: it goes on as it is.
 */
export function responseOf(table: Activations | null, name: string | null): Response | null {
  const known = table?.activations.find((one) => one.name === (name ?? "linear"));
  if (table === null || known === undefined) return null;
  const { low, high, values } = known;
  return { name: known.name, edges: { low, high }, curve: values === null ? null : { z: table.z, f: values } };
}

/** Which values saturate it, in words. */
export function edgesInWords({ name, edges, curve }: Response, format: (value: number) => string): string {
  const { low, high } = edges;
  if (curve === null) return `No single value saturates ${name}: it mixes units.`;
  const parts = [
    low === null ? "" : `below ${format(low)}`,
    high === null ? "" : `above ${format(high)}`,
  ].filter(Boolean);
  if (parts.length === 0) return `No value saturates ${name}.`;
  const where = parts.join(" and ");
  return `${where.charAt(0).toUpperCase()}${where.slice(1)} ${name} saturates.`;
}
