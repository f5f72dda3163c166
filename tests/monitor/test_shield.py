"""An activity penalty behind layers that train: it must not be met by silencing them."""

from typing import Any

import keras
import numpy as np
import pytest

from gainstage.diagnosis.rule import Case
from gainstage.diagnosis.shield import exposed

from .builders import BY_VERDICT, CALM, GUILTY, row, view

layers = keras.layers
WIDE = {"kernel_shape": (64, 8), "inputs": (0,), "fan_in": 64.0}


def prescribed(*, front: Any, **changes: Any) -> Any:
    rows = [row("front", **front), row("hidden", **{**WIDE, **changes})]
    return BY_VERDICT["activity"].prescribe(Case(view(CALM, GUILTY["activity"], rows=rows), 1))


@pytest.mark.parametrize(
    ("front", "fields", "expected"),
    [
        ({}, WIDE, True),
        ({"trainable": False}, WIDE, False),
        ({}, {**WIDE, "kernel_shape": (15, 8)}, False),
        ({}, {**WIDE, "kernel_shape": (3, 3, 16, 8)}, True),
        ({}, {**WIDE, "kind": "LayerNormalization", "kernel_shape": (64,)}, False),
        ({}, {**WIDE, "inputs": ()}, False),
    ],
    ids=["trains", "frozen", "few features", "channels", "normalisation", "data"],
)
def test_row_is_exposed_where_layers_that_train_feed_it(
    front: Any, fields: Any, expected: bool
) -> None:
    assert exposed([row("front", **front), row("hidden", **fields)], 1) is expected


def test_row_is_exposed_through_layers_without_weights_and_loops_end() -> None:
    rows = [
        row("front", inputs=(1,)),
        row("dropout", inputs=(0,), trainable=False),
        row("hidden", **{**WIDE, "inputs": (1,)}),
    ]

    assert exposed(rows, 2)


def test_patch_normalises_in_front_and_says_why() -> None:
    shielded, plain = prescribed(front={}), prescribed(front={"trainable": False})

    scope: dict[str, Any] = {"keras": keras}
    exec(shielded.code, scope)
    normalisation, penalised, activation = scope["replacement"]
    assert (normalisation.center, normalisation.scale) == (False, False)
    assert penalised.activity_regularizer.l2 > 0
    assert isinstance(activation, layers.Activation)
    assert "A LayerNormalization in front keeps the layers that feed it out of that" in (
        shielded.remedy
    )
    assert "LayerNormalization(" not in plain.code


def test_patch_normalises_the_channels_that_come_first() -> None:
    arguments = {"name": "hidden", "filters": 8, "kernel_size": 3, "data_format": "channels_first"}

    code = prescribed(front={}, kind="Conv2D", kernel_shape=(3, 3, 64, 8), arguments=arguments).code

    shield = "keras.layers.LayerNormalization( axis=1, center=False, scale=False, )"
    assert shield in " ".join(code.split())


def test_penalty_silences_a_rectifier_in_front_unless_it_is_shielded() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 20)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)

    def level_after(*front: Any) -> float:
        keras.utils.set_random_seed(0)
        kernel: Any = keras.initializers.RandomNormal(0.2, 0.05)
        penalty = keras.regularizers.L2(3e-3)
        model = keras.Sequential(
            [
                layers.Input((20,)),
                layers.Dense(128, activation="relu", name="rectifier"),
                *front,
                layers.Dense(32, kernel_initializer=kernel, activity_regularizer=penalty),
                layers.Activation("tanh"),
                layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=32, epochs=10, verbose=0)
        seen: Any = model.get_layer("rectifier")(x)
        return 10 * float(np.log10(np.mean(np.square(keras.ops.convert_to_numpy(seen)))))

    alone = level_after()
    shielded = level_after(layers.LayerNormalization(center=False, scale=False))

    assert alone < shielded - 6
