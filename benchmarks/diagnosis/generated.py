"""Data that are generated."""

import numpy as np
from sklearn import datasets

from benchmarks.diagnosis.tasks import Array, Rng, Task, split, standardised


def blobs(rng: Rng) -> Task:
    """Gaussian clusters around the corners of a cube, standardised."""
    x, y = datasets.make_classification(
        1_500,
        n_features=20,
        n_informative=10,
        n_redundant=4,
        n_classes=4,
        class_sep=1.5,
        random_state=int(rng.integers(2**31)),
    )
    return split(rng, standardised(x), y.astype(np.int64), 4)


def low_rank(rng: Rng) -> Task:
    """100 standardised features that 3 hidden factors make."""
    factors = rng.normal(size=(1_500, 3))
    x = factors @ rng.normal(size=(3, 100)) + 0.05 * rng.normal(size=(1_500, 100))
    return split(rng, standardised(x), (factors[:, 0] > 0).astype(np.int64), 2)


def sequences(rng: Rng) -> Task:
    """Noise of 4 channels over 30 steps; the class is the sign of the first one's sum."""
    x = rng.normal(size=(1_200, 30, 4)).astype(np.float32)
    return split(rng, x, (x[:, :, 0].sum(axis=1) > 0).astype(np.int64), 2)


def tokens(rng: Rng) -> Task:
    """20 of 50 tokens; the class is whether those of the lower half are the more."""
    x = rng.integers(0, 50, size=(1_500, 20))
    return split(rng, x, ((x < 25).sum(axis=1) > 10).astype(np.int64), 2, tokens=50)


def moons(rng: Rng) -> Task:
    """Two half moons that reach into each other, standardised."""
    x, y = datasets.make_moons(1_200, noise=0.15, random_state=int(rng.integers(2**31)))
    return split(rng, standardised(x), y.astype(np.int64), 2)


def circles(rng: Rng) -> Task:
    """Three noisy rings around each other in the plane, standardised."""
    y = rng.integers(3, size=1_500)
    angle, radius = rng.uniform(0, 2 * np.pi, 1_500), 1 + y + rng.normal(0, 0.15, 1_500)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(rng, standardised(x), y, 3)


def spirals(rng: Rng) -> Task:
    """Three arms of a spiral, half a turn each, standardised."""
    y = rng.integers(3, size=1_500)
    along = rng.uniform(0.15, 1, 1_500)
    angle = np.pi * along + 2 * np.pi * y / 3 + rng.normal(0, 0.1, 1_500)
    x = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return split(rng, standardised(x), y, 3)


def friedman(rng: Rng) -> Task:
    """Friedman's first function of ten features (Friedman 1991), all standardised."""
    x, y = datasets.make_friedman1(1_200, noise=0.5, random_state=int(rng.integers(2**31)))
    return split(rng, standardised(x), standardised(y[:, None]), 0)


def surface(rng: Rng) -> Task:
    """A linear function of 30 standard normal features, with noise."""
    x = rng.normal(size=(1_200, 30))
    y = x @ rng.normal(size=30) + rng.normal(size=1_200)
    return split(rng, x.astype(np.float32), standardised(y[:, None]), 0)


def _waves(rng: Rng, steps: int, phase: Array) -> tuple[Array, Array]:
    """[1,200, steps] sums of two sines in `phase` [1,200, 2, 1], and their pair of frequencies."""
    y = rng.integers(4, size=1_200)
    cycles = np.array([[2, 5], [3, 7], [4, 9], [6, 11]])[y]
    time = np.arange(steps) / steps
    x = np.sin(2 * np.pi * cycles[:, :, None] * time + phase).sum(axis=1)
    return x + rng.normal(0, 0.2, x.shape), y


def waves(rng: Rng) -> Task:
    """32 steps of sums of two sines of any phase; the class is their pair of frequencies."""
    x, y = _waves(rng, 32, rng.uniform(0, 2 * np.pi, (1_200, 2, 1)))
    return split(rng, x[:, :, None].astype(np.float32), y, 4)


def flat_waves(rng: Rng) -> Task:
    """128 steps of the same, in similar phases, as features: sums of 16 functions, with noise."""
    x, y = _waves(rng, 128, rng.normal(0, 0.7, (1_200, 2, 1)))
    return split(rng, x.astype(np.float32), y, 4)


def tones(rng: Rng) -> Task:
    """512 steps of 3 sines, standardised features; the value is made of two of the amplitudes."""
    amplitude = rng.normal(size=(1_200, 3))
    cycles, phase = np.arange(2, 8, 2)[:, None], rng.uniform(0, 2 * np.pi, (3, 1))
    x = amplitude @ np.sin(2 * np.pi * cycles * np.arange(512) / 512 + phase)
    y = amplitude[:, :1] + np.abs(amplitude[:, 1:2])
    return split(rng, standardised(x + rng.normal(0, 0.1, x.shape)), standardised(y), 0)


def spectra(rng: Rng) -> Task:
    """24 steps of 16 levels between 0.3 and 1; a fading tone raises the bands of one class of 4."""
    y = rng.integers(4, size=1_200)
    x = rng.uniform(0.3, 0.6, (1_200, 24, 16))
    start = rng.integers(4, 16, size=1_200)
    for step in range(4):
        for band in range(4):
            x[np.arange(1_200), start + step, 4 * y + band] += 0.35 - 0.05 * step
    return split(rng, x.astype(np.float32), y, 4)


def stripes(rng: Rng) -> Task:
    """Images of 12 x 12 grey values from 0 to 1 with stripes; the class is one of 4 directions."""
    y = rng.integers(4, size=1_200)
    angle = np.pi * y / 4 + rng.normal(0, 0.1, 1_200)
    cycles, phase = rng.uniform(0.1, 0.2, 1_200), rng.normal(0, 0.5, 1_200)
    row, column = np.mgrid[:12, :12]
    across = np.cos(angle)[:, None, None] * row + np.sin(angle)[:, None, None] * column
    x = 0.5 + 0.3 * np.sin(2 * np.pi * cycles[:, None, None] * across + phase[:, None, None])
    x = np.clip(x + rng.normal(0, 0.08, x.shape), 0, 1)
    return split(rng, x[..., None].astype(np.float32), y, 4)


def shades(rng: Rng) -> Task:
    """12 x 12 images, grey values from 0.2 to 0.8; the value is how much lighter the right is."""
    y = rng.uniform(-1, 1, (1_200, 1))
    x = 0.5 + 0.2 * y[:, :, None] * np.linspace(-1, 1, 12) + rng.uniform(-0.1, 0.1, (1_200, 12, 12))
    return split(rng, x[..., None].astype(np.float32), standardised(y), 0)


def tints(rng: Rng) -> Task:
    """10 x 10 images of 3 standardised channels: a square or a disc, the classes, in one of two."""
    y = rng.integers(4, size=1_200)
    x = rng.normal(0, 0.5, (1_200, 10, 10, 3))
    row, column = np.mgrid[:10, :10]
    for one, kind in enumerate(y):
        at = rng.integers(3, 7, size=2)
        far = np.abs(row - at[0]), np.abs(column - at[1])
        inside = np.maximum(*far) <= 2 if kind % 2 else np.hypot(*far) <= 1.5
        x[one, inside, kind // 2] += 2
    return split(rng, standardised(x), y, 4)


def copying(rng: Rng) -> Task:
    """One of 4 symbols, one-hot, then 11 steps of small noise; the class is the symbol."""
    y = rng.integers(4, size=1_200)
    x = rng.normal(0, 0.2, (1_200, 12, 4))
    x[np.arange(1_200), 0, y] += 2
    return split(rng, x.astype(np.float32), y, 4)


def walks(rng: Rng) -> Task:
    """16 steps of 6 autoregressive channels, standardised; the value is the first one's mean."""
    x = rng.normal(size=(1_200, 16, 6))
    for step in range(1, 16):
        x[:, step] += 0.8 * x[:, step - 1]
    x = standardised(x)
    return split(rng, x, standardised(x[:, :, 0].mean(axis=1, keepdims=True)), 0)


def symbols(rng: Rng) -> Task:
    """16 of 8 tokens; the class is which of three is there most often."""
    x = rng.integers(8, size=(1_500, 16))
    y = rng.integers(3, size=1_500)
    x = np.where(rng.random(x.shape) < 0.25, y[:, None], x)
    return split(rng, x, y, 3, tokens=8)
