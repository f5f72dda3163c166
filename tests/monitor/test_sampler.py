"""What a sample holds, and how often its dearer parts."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.peek import Seen
from gainstage.sampler import GRADIENT_EVERY, Sampler

from .models import EXAMPLES, array, batch, reading, same_rows, sequential

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]
Y = np.ones((EXAMPLES, 2), np.float32)


def model(kind: type = keras.Sequential) -> Any:
    made = kind(
        [
            layers.Input((5,)),
            layers.Dense(4, activation="tanh", name="hidden"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(2, name="out"),
        ]
    )
    made.compile("sgd", "mse")
    return made


def test_every_eighth_sample_has_the_gradient_of_each_row_and_its_ratio_to_the_last() -> None:
    watched = model()
    sampler = Sampler(watched, EXAMPLES)

    samples = [sampler.training(Seen(watched, (batch(5), Y))) for _ in range(2 * GRADIENT_EVERY)]

    tables = [sample.gradients for sample in samples if sample and sample.gradients is not None]
    assert len(tables) == 2
    rms, ratio, penalised = tables[0].T
    assert np.isnan(rms).tolist() == [False, True, False]
    assert rms[0] > 0
    assert ratio.tolist() == pytest.approx([rms[0] / rms[2], np.nan, 1.0], nan_ok=True)
    assert penalised.tolist() == pytest.approx([0.0, np.nan, 0.0], nan_ok=True)


class NoLoss(keras.Sequential):
    """A model whose loss means something inside its own step alone."""

    def compute_loss(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("only inside my own step")


def test_where_the_loss_cannot_be_taken_alone_samples_go_on_without_gradients() -> None:
    watched = model(NoLoss)
    sampler = Sampler(watched, EXAMPLES)

    samples = [sampler.training(Seen(watched, (batch(5), Y))) for _ in range(GRADIENT_EVERY)]

    assert [sample is not None and sample.gradients is None for sample in samples] == [True] * 8


def test_validation_is_read_without_dropout() -> None:
    watched = model()

    sample = Sampler(watched, EXAMPLES).validation(Seen(watched, (batch(5), Y)))

    assert sample is not None
    assert same_rows(reading(sample, "drop").y, array(watched.layers[0](batch(5))))


def test_only_so_many_examples_are_read() -> None:
    watched = model()

    sample = Sampler(watched, 2).training(Seen(watched, (batch(5), Y)))

    assert sample is not None
    assert np.array_equal(array(reading(sample, "hidden").x), batch(5)[:2])


def test_a_model_of_which_no_layer_is_watched_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no layer to watch"):
        Sampler(sequential(layers.Dense(2)), EXAMPLES, include=("nothing",))
