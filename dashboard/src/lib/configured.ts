/** What a layer and its training are configured with. */

import type { LayerRow, Training } from "./contract";
import { formatCount, formatNumber, numberOf } from "./number";
import { written } from "./written";

export type Fact = readonly [name: string, value: string];

export function shape(sizes: readonly (number | null)[]): string {
  return sizes.map((size) => (size === null ? "?" : formatCount(size))).join(" × ");
}

/** The layer itself; what it has not is left out. */
export function factsOf(row: LayerRow): Fact[] {
  const trained = row.parameters === 0 ? "" : row.trainable ? ", trained" : ", frozen";
  const facts: (Fact | null)[] = [
    ["Kind", row.kind],
    row.activation === null ? null : ["Activation", row.activation === "?" ? "not one of Keras's own" : row.activation],
    row.kernel_shape.length > 0 ? ["Kernel", shape(row.kernel_shape)] : null,
    row.output_shape.length > 0 ? ["Output", shape(row.output_shape)] : null,
    ["Parameters", formatCount(row.parameters) + trained],
    ["Computes in", row.dtype],
    row.call > 0 ? ["Call", `number ${row.call + 1} of a shared layer`] : null,
  ];
  return facts.filter((fact) => fact !== null);
}

/** The constructor's arguments that are not Keras's defaults; the name is in the path. */
export function argumentsOf(row: LayerRow): Fact[] {
  return Object.entries(row.arguments)
    .filter(([name]) => name !== "name")
    .map(([name, value]) => [name, written(value)]);
}

/** How the model is trained; what was not told or is not used is left out. */
export function trainingOf(training: Training): Fact[] {
  const { optimizer, learning_rate, momentum, weight_decay, loss, batch_size, backend, keras } = training;
  const [rate, kept, decay] = [learning_rate, momentum, weight_decay].map(numberOf);
  const facts: (Fact | null)[] = [
    optimizer === "" ? null : ["Optimizer", optimizer],
    rate == null ? null : ["Learning rate", formatNumber(rate)],
    kept == null || kept === 0 ? null : ["Momentum", formatNumber(kept)],
    decay == null || decay === 0 ? null : ["Weight decay", formatNumber(decay)],
    loss === "" ? null : ["Loss", loss],
    batch_size === null ? null : ["Batch", formatCount(batch_size)],
    ["Keras", `${keras} on ${backend}`],
  ];
  return facts.filter((fact) => fact !== null);
}
