import { expect, it } from "vitest";
import type { LayerRow, Training } from "./contract";
import { argumentsOf, factsOf, trainingOf } from "./configured";

function aLayer(given: Partial<LayerRow> = {}): LayerRow {
  return {
    id: "r0",
    path: "model/hidden",
    kind: "Dense",
    call: 0,
    inputs: [],
    output_shape: [null, 64],
    kernel_shape: [2048, 64],
    parameters: 131_136,
    trainable: true,
    fan_in: 2048,
    state_fan_in: null,
    activation: "sigmoid",
    fused: true,
    unjudged: "",
    arguments: { name: "hidden", units: 64 },
    dtype: "float32",
    verdict: "",
    headroom_db: null,
    values: {},
    ...given,
  };
}

const TRAINING: Training = {
  backend: "jax",
  keras: "3.15.1",
  optimizer: "SGD",
  learning_rate: 0.05000000074505806,
  momentum: 0.9,
  weight_decay: 0,
  loss: "",
  batch_size: 32,
  penalty_per_example: true,
};

it("says what a layer is, shapes and state of training included", () => {
  const facts = Object.fromEntries(factsOf(aLayer({ trainable: false })));
  expect(facts).toEqual({
    Kind: "Dense",
    Activation: "sigmoid",
    Kernel: "2,048 × 64",
    Output: "? × 64",
    Parameters: "131,136, frozen",
    "Computes in": "float32",
  });
});

it("leaves out what a layer has not", () => {
  const facts = factsOf(aLayer({ activation: null, kernel_shape: [], output_shape: [], parameters: 0 }));
  expect(facts.map(([name]) => name)).toEqual(["Kind", "Parameters", "Computes in"]);
});

it("lists the constructor's arguments without the name, which is in the path", () => {
  expect(argumentsOf(aLayer())).toEqual([["units", "64"]]);
});

it("says how the model is trained, without what is not used", () => {
  expect(trainingOf(TRAINING).map((fact) => fact.join(" "))).toEqual([
    "Optimizer SGD",
    "Learning rate 0.05",
    "Momentum 0.9",
    "Batch 32",
    "Keras 3.15.1 on jax",
  ]);
});
