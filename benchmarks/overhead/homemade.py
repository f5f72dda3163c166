"""What people write by hand: callbacks that ask the model, or a sub-model for all outputs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gainstage.statistics import QUANTILES


class Passed(keras.callbacks.Callback):
    """Asks the model for its outputs for a few examples, at the steps that are due."""

    def __init__(self, examples: Any, due: Callable[[int], bool]) -> None:
        super().__init__()
        self._examples, self._due = examples, due

    def on_train_begin(self, logs: Any = None) -> None:
        """Compiles."""
        self.model.predict_on_batch(self._examples)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Asks."""
        if self._due(batch):
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()  # within an epoch the variables hold nothing
            self.model.predict_on_batch(self._examples)


class Fetched(keras.callbacks.Callback):
    """Fetches the outputs of all layers for a few examples, at the steps that are due.

    Attributes:
        figures: "layer/statistic" -> value, of the newest sample.
    """

    def __init__(self, examples: Any, due: Callable[[int], bool]) -> None:
        super().__init__()
        self.figures: dict[str, float] = {}
        self._examples, self._due = examples, due

    def on_train_begin(self, logs: Any = None) -> None:
        """Makes the sub-model."""
        outputs = [layer.output for layer in self.model.layers]
        self._outputs = keras.Model(self.model.inputs, outputs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Asks it."""
        if self._due(batch):
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()  # within an epoch the variables hold nothing
            self.sample(self._outputs.predict(self._examples, verbose=0))

    def sample(self, outputs: list[Any]) -> None:
        """Mean, spread and share of large values of each."""
        for layer, y in zip(self.model.layers, outputs, strict=True):
            self.figures[f"{layer.name}/mean"] = float(y.mean())
            self.figures[f"{layer.name}/std"] = float(y.std())
            self.figures[f"{layer.name}/large"] = float((np.abs(y) > 5).mean())


class Logged(Fetched):
    """Logs to W&B, offline, those of Gainstage's statistics that a sub-model can give.

    Inputs, outputs and weights, by the same names; what enters an activation function does not come
    out of a sub-model, so that the quantiles are of the outputs.
    """

    def __init__(self, examples: Any, due: Callable[[int], bool], folder: Path) -> None:
        super().__init__(examples, due)
        self._folder = folder
        self._before: dict[str, Any] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Opens the run."""
        super().on_train_begin(logs)
        self._folder.mkdir(parents=True)
        os.environ |= {
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
            "WANDB_CONSOLE": "off",
            "WANDB_ERROR_REPORTING": "false",
            **{
                f"WANDB_{name}": str(self._folder)
                for name in ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR")
            },
        }
        import wandb

        self._run = wandb.init(project="overhead")
        makers = {id(layer.output): place for place, layer in enumerate(self.model.layers)}
        # Of layers with several inputs, the first; an input of the model has none.
        self._inputs = [
            next((makers[id(tensor)] for tensor in keras.tree.flatten(layer.input)), None)
            for layer in self.model.layers
        ]

    def on_train_end(self, logs: Any = None) -> None:
        """Closes it."""
        self._run.finish()

    def sample(self, outputs: list[Any]) -> None:
        """Computes and logs."""
        for layer, place, y in zip(self.model.layers, self._inputs, outputs, strict=True):
            if place is None:
                continue
            found = _summary("input", outputs[place]) | _summary("output", y)
            found["zero_rate"] = float(np.mean(y == 0))
            found["nonfinite_rate"] = float(np.mean(~np.isfinite(y)))
            for share, value in zip(QUANTILES, np.quantile(y, QUANTILES), strict=True):
                found[f"q{round(100 * share):02d}"] = float(value)
            weights = layer.get_weights()
            if weights:
                found |= self._kernel(layer.name, weights[0])
            if len(weights) > 1:
                found |= _summary("bias", weights[1])
            self.figures |= {f"{layer.name}/{name}": value for name, value in found.items()}
        self._run.log(self.figures)

    def _kernel(self, name: str, kernel: Any) -> dict[str, float]:
        moved = kernel - self._before.get(name, kernel)
        self._before[name] = kernel
        found = _summary("kernel", kernel)
        size = found["kernel_rms"] or float("nan")
        return found | {"update_ratio": float(np.sqrt(np.mean(moved**2))) / size}


def _summary(name: str, values: Any) -> dict[str, float]:
    rms = float(np.sqrt(np.mean(values**2)))
    return {
        f"{name}_rms": rms,
        f"{name}_mean": float(values.mean()),
        f"{name}_std": float(values.std()),
        f"{name}_max": float(np.abs(values).max()),
        f"{name}_db": float(20 * np.log10(rms)) if rms else float("-inf"),
    }
