"""After a sample the model is what it was before, even where the pass failed."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.probe import Probe

from .models import EXAMPLES, batch, rows_of, sequential, stateful_model

layers = keras.layers
pytestmark = [pytest.mark.every_backend, pytest.mark.usefixtures("seeded")]


def everything_of(model: Any) -> dict[str, Any]:
    """All that the layers of `model` hold, and every number of its variables."""
    return {
        "attributes": [dict(vars(layer)) for layer in model._flatten_layers()],
        "loss ids": [set(layer._loss_ids) for layer in model._flatten_layers()],
        "losses": [list(map(id, layer._losses)) for layer in model._flatten_layers()],
        "variables": [np.array(variable.numpy()) for variable in model.variables],
        "seeds": [
            np.array(layer.seed_generator.state.numpy())
            for layer in model._flatten_layers()
            if hasattr(layer, "seed_generator")
        ],
    }


def different(some: Any, others: Any) -> list[str]:
    """What differs between two results of `everything_of`; attributes are compared by identity."""
    found = [name for name in ("loss ids", "losses") if some[name] != others[name]]
    for name in ("variables", "seeds"):
        pairs = zip(some[name], others[name], strict=True)
        found += [name for one, other in pairs if not np.array_equal(one, other)]
    for one, other in zip(some["attributes"], others["attributes"], strict=True):
        found += [name for name in {*one, *other} if one.get(name) is not other.get(name)]
    return found


def test_probe_leaves_no_trace_in_the_model() -> None:
    model = stateful_model()
    before = everything_of(model)
    probe = Probe(model)

    probe(batch(6, 6, 2))
    probe(batch(6, 6, 2))

    assert different(before, everything_of(model)) == []


if keras.backend.backend() == "torch":

    def test_random_numbers_of_gpus_that_do_not_hold_the_model_are_left_alone(
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        model = stateful_model()
        monkeypatch.setattr("torch.cuda.device_count", lambda: 8)

        assert Probe(model)(batch(6, 6, 2)) is not None


def test_search_for_traces_finds_what_a_plain_pass_leaves() -> None:
    model = stateful_model()
    before = everything_of(model)

    model(batch(6, 6, 2), training=True)
    model.layers[1].call = model.layers[1].call

    assert {"variables", "seeds", "call"} <= set(different(before, everything_of(model)))


def test_losses_of_the_last_call_are_still_there_for_a_loop_written_by_hand() -> None:
    model = sequential(layers.Dense(3, activity_regularizer="l2"), layers.Dense(2))
    model(10 * batch(5))
    (before,) = model.losses

    Probe(model)(batch(5))

    assert [id(loss) for loss in model.losses] == [id(before)]


class Failing(layers.Layer):
    """Raises in the middle of the pass as long as it is told to."""

    fails = True

    def call(self, x: Any) -> Any:
        if self.fails:
            raise RuntimeError("in the middle")
        return x + 0


@pytest.mark.parametrize("eagerly", [True, False])
def test_exception_inside_the_pass_leaves_nothing_patched(eagerly: bool) -> None:
    failing = Failing(name="failing")
    failing.fails = False
    model = sequential(
        layers.Dense(3, activation="tanh", activity_regularizer="l2", name="in"),
        failing,
        layers.Dense(2, name="out"),
    )
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model(batch(5))
    failing.fails = True
    before = everything_of(model)
    probe = Probe(model)

    with pytest.raises(RuntimeError, match="in the middle"):
        probe(batch(5))
    left = different(before, everything_of(model))
    failing.fails = False
    after = probe(batch(5))

    assert left == []
    assert [name for name, *_ in rows_of(after)] == ["in", "failing", "out"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_model_can_be_saved_cloned_and_trained_between_samples(tmp_path: Any) -> None:
    model = sequential(layers.Dense(3, activation="tanh", name="in"), layers.Dense(2, name="out"))
    model.compile("sgd", "mse")
    probe = Probe(model)
    probe(batch(5))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    keras.models.clone_model(model).summary(print_fn=lambda *_, **__: None)
    model.fit(batch(5), np.zeros((EXAMPLES, 2)), verbose=0)

    rows, rows_loaded = probe(batch(5)).rows, Probe(loaded)(batch(5)).rows
    assert [(row.id, row.arguments) for row in rows] == [
        (row.id, row.arguments) for row in rows_loaded
    ]
