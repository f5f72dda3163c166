"""Parts of models that branch: functions of tensors, to go between layers."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from benchmarks.diagnosis.families import through

layers = keras.layers
ops: Any = keras.ops
Block = Callable[[Any], Any]


def side_by_side(*branches: Sequence[Any]) -> Block:
    """What each of the branches makes of its inputs, one behind the other."""
    return lambda x: layers.Concatenate()([through(branch, x) for branch in branches])


def towers(*branches: Sequence[Any]) -> Block:
    """The same of branches that each see a channel of their own, the last one all the rest."""

    def block(x: Any) -> Any:
        last = len(branches) - 1
        seen = [
            x[..., one : one + 1] if one < last else x[..., one:] for one in range(len(branches))
        ]
        return layers.Concatenate()(
            [through(branch, part) for branch, part in zip(branches, seen, strict=True)]
        )

    return block


def densely(*steps: Sequence[Any]) -> Block:
    """Each of the steps sees the inputs and what all those before it made (Huang et al. 2017)."""

    def block(x: Any) -> Any:
        for step in steps:
            x = layers.Concatenate()([x, through(step, x)])
        return x

    return block


def highway(value: Any, gate: Any) -> Block:
    """A gate between a value and the inputs (Srivastava et al. 2015)."""

    def block(x: Any) -> Any:
        open_ = gate(x)
        return layers.Add()([layers.Multiply()([open_, value(x)]), (1 - open_) * x])

    return block


def gated(value: Any, gate: Any) -> Block:
    """A value times a gate of the same inputs (Dauphin et al. 2017)."""
    return lambda x: layers.Multiply()([value(x), gate(x)])


def excited(*steps: Any) -> Block:
    """Each channel times what `steps` make of the channels' means (Hu et al. 2018)."""

    def block(x: Any) -> Any:
        means = ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)), keepdims=True)
        return layers.Multiply()([x, through(steps, means)])

    return block


def pooled(*steps: Any) -> Block:
    """A mean over time, each step weighted by what `steps` make of it (Ilse et al. 2018)."""

    def block(x: Any) -> Any:
        weight = layers.Softmax(axis=1)(through([*steps, layers.Dense(1)], x))
        return ops.sum(weight * x, axis=1)

    return block
