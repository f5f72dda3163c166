/** Which statistics a layer's page draws as lines, and all that it asks the server for. */

import { QUANTILES } from "./fan";
import { TERM_STATISTICS } from "./growth";

export interface LineSet {
  name: string;
  title: string;
  statistics: readonly string[];
  /** Worth its place only where something is not 0. */
  rare?: boolean;
}

export const LINE_SETS: readonly LineSet[] = [
  { name: "coherence", title: "Coherence", statistics: ["coherence_db", "common_mode_db", "aligned_db"] },
  { name: "saturation", title: "Saturation", statistics: ["saturation_rate", "saturated_units", "dead_units", "zero_rate"] },
  { name: "weights", title: "Weights", statistics: ["kernel_rms", "bias_rms", "kernel_max"] },
  { name: "gradients", title: "Gradients", statistics: ["gradient_rms", "gradient_ratio", "penalty_ratio"] },
  { name: "updates", title: "Updates", statistics: ["update_ratio"] },
  { name: "output", title: "Output", statistics: ["output_rms", "output_mean", "output_max"] },
  { name: "attention", title: "Attention", statistics: ["logit_range", "score_entropy"] },
  {
    name: "nonfinite",
    title: "Not finite",
    statistics: ["nonfinite_rate", "input_nonfinite_rate", "weight_nonfinite_rate"],
    rare: true,
  },
  { name: "format", title: "Lost to the number format", statistics: ["underflow_rate", "overflow_rate"], rare: true },
];

/** What a gate shows beside the layer that it is part of. */
export const GATE_STATISTICS: readonly string[] = ["saturation_rate", "pre_db"];

/** Everything that the page draws of its layer: one pass over the frames brings it all. */
export const DRAWN: readonly string[] = [
  ...new Set([
    ...TERM_STATISTICS,
    "pre_db",
    "output_db",
    ...QUANTILES.map(([id]) => id),
    ...LINE_SETS.flatMap(({ statistics }) => statistics),
  ]),
];
