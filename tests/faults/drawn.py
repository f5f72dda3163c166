"""Samples of a model that there is not: drawn numbers in place of what a probe would read."""

import numpy as np

from gainstage import wire
from gainstage.readings import Reading
from gainstage.sample import Sample

TRAINING = wire.Training(backend="tensorflow", keras="3.15.0", optimizer="SGD", batch_size=32)


def sample(layers: int, seed: int) -> Sample:
    """A chain of tanh layers of four units, eight positions read of each."""
    rng = np.random.default_rng(seed)
    rows = tuple(
        wire.Row(
            id=f"{place:016x}",
            path=f"model/dense_{place}",
            kind="Dense",
            inputs=(place - 1,) if place else (),
            output_shape=(4,),
            kernel_shape=(4, 4),
            parameters=20,
            fan_in=4.0,
            activation="tanh",
            fused=True,
        )
        for place in range(layers)
    )

    def read() -> list[Reading]:
        x, z = rng.normal(size=(2, layers, 8, 4)).astype(np.float32)
        kernel = rng.normal(size=16).astype(np.float32)
        return [
            Reading(x=x[place], z=z[place], y=np.tanh(z[place]), post=np.tanh(z[place]))
            if place
            else Reading(x=x[0], z=z[0], y=np.tanh(z[0]), post=np.tanh(z[0]), kernel=kernel)
            for place in range(layers)
        ]

    return Sample(rows, read, traced=False)
