"""Models without a `call` of their own, such as a GAN: each of their sub-models is run by itself.

Such a model trains by its `train_step`, which cannot be run without changing it. What a sub-model
would get there is not known, so it gets what fits its inputs: the output of the sub-models before
it, the newest first, or the model's inputs; where nothing fits, as for a generator's latent vector,
normal noise, the same in each pass.
"""

from typing import Any

import keras

SEED = 0


def has_call(model: Any) -> bool:
    """Whether `model` says what it makes of its inputs."""
    owner = next(kind for kind in type(model).__mro__ if "call" in vars(kind))
    return owner not in {keras.Model, keras.Layer}


def run_submodels(model: Any, x: Any, *, training: bool) -> list[Any]:
    """The outputs of the sub-models of `model` whose inputs' shapes are known, in their order."""
    given = [part for part in keras.tree.flatten(x) if part is not None]
    examples = given[0].shape[0]
    outputs: list[Any] = []
    for child in model._layers:
        inputs = getattr(child, "inputs", None)
        if not inputs:
            continue
        candidates = [*reversed(outputs), *given]
        fed = [_fitting(spec, candidates, examples) for spec in inputs]
        made = child(fed if len(inputs) > 1 else fed[0], training=training)
        outputs += keras.tree.flatten(made)
    return outputs


def _fitting(spec: Any, candidates: list[Any], examples: Any) -> Any:
    wanted = tuple(spec.shape)[1:]
    for candidate in candidates:
        shape = tuple(candidate.shape)[1:]
        if len(shape) == len(wanted) and all(
            None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
        ):
            return candidate
    shape = (examples, *(size or 1 for size in wanted))
    return keras.random.normal(shape, dtype=spec.dtype, seed=SEED)
