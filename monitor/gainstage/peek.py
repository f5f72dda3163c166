"""Looking at the next batch before the training function gets it, on TensorFlow.

Between samples the model runs Keras's own training function; nothing of ours is in its way.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

import keras


def arm(model: Any, look: Callable[[Any], None]) -> None:
    """Hands the inputs of the next call's first batch to `look` before the model trains on it.

    The training function is put back before anything else happens, and every batch that was drawn
    is trained on, whatever `look` does: it must not raise.
    """
    train = model.train_function

    def peeking(iterator: Any) -> Any:
        model.train_function = train
        batches = list(islice(iterator, model.steps_per_execution))
        if not batches:
            raise StopIteration
        look(batches[0])
        return train(iter(batches))

    model.train_function = peeking


def inputs(model: Any, batch: Any) -> Any:
    """The inputs of `batch`, of one replica's share where there are several."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
    local = model.distribute_strategy.experimental_local_results
    return keras.tree.map_structure(lambda tensor: local(tensor)[0], x)


def size(x: Any) -> int:
    """How many examples the inputs `x` hold."""
    return int(keras.tree.flatten(x)[0].shape[0])


def first(x: Any, examples: int) -> Any:
    """The first `examples` of the inputs `x`."""
    return keras.tree.map_structure(lambda tensor: tensor[:examples], x)
