"""Data as small companies and courses have them: prices, counts, sensors, scans and short texts.

All are generated. Inputs "as listed" or "as read" are in the units of their source; the others are
of a size that suits a network.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.diagnosis.tasks import Array, Maker, Rng, Task, split, standardised

COUNT = 1_200
PRAISE = ["great", "love", "perfect", "works", "fast", "solid", "happy", "recommend", "bright"]
BLAME = ["broken", "refund", "poor", "late", "noisy", "cracked", "slow", "waste", "returned"]
OTHER = ["the", "it", "this", "was", "and", "but", "box", "phone", "lamp", "very", "again", "came"]
# The number of a word; 0 stands behind the end of a text.
LEXICON = {word: number for number, word in enumerate([*PRAISE, *BLAME, *OTHER], 1)}
WORDS = 12


def entering(make: Maker, change: Callable[[Array], Array]) -> Maker:
    """A task whose inputs, those to learn from and the others together, are changed."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        x = change(np.concatenate([task.x, task.test_x])).astype(np.float32)
        return replace(task, x=x[: len(task.x)], test_x=x[len(task.x) :])

    return maker


def flats_as_listed(rng: Rng) -> Task:
    """Square metres, rooms, floor, year, metres to the centre, fees; the price's logarithm."""
    area = rng.lognormal(4.2, 0.35, COUNT)
    rooms = np.clip(np.round(area / 24 + rng.normal(0, 0.6, COUNT)), 1, 7)
    floor, year = rng.integers(0, 9, COUNT), rng.integers(1_890, 2_024, COUNT)
    centre, fees = rng.gamma(2, 2_500, COUNT), area * rng.uniform(1.5, 4, COUNT)
    price = np.log(area) + (year - 1_950) / 200 - centre / 12_000 + 0.02 * floor
    x = np.stack([area, rooms, floor, year, centre, fees], axis=1).astype(np.float32)
    return split(rng, x, standardised((price + rng.normal(0, 0.1, COUNT))[:, None]), 0)


def rentals_as_counted(rng: Rng) -> Task:
    """Hour, weather and season as they enter a model; the value is how many bicycles were lent."""
    hour, warm, rain = rng.integers(0, 24, COUNT), rng.normal(size=COUNT), rng.random(COUNT) < 0.2
    free, angle = rng.random(COUNT) < 2 / 7, 2 * np.pi * hour / 24
    busy = np.where(free, np.exp(-(((hour - 14) / 5) ** 2)), np.exp(-(((hour - 17) / 3) ** 2)))
    y = rng.poisson(np.exp(3 + 1.5 * busy + 0.4 * warm - 0.8 * rain))
    x = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), warm, rain, free], axis=1)
    return split(rng, standardised(x), y[:, None].astype(np.float32), 0)


def rentals(rng: Rng) -> Task:
    """The same with the counts' square roots, standardised."""
    task = rentals_as_counted(rng)
    y = standardised(np.sqrt(np.concatenate([task.y, task.test_y])))
    return replace(task, y=y[: len(task.y)], test_y=y[len(task.y) :])


def customers(rng: Rng) -> Task:
    """Months, bills, calls and three choices of 4, one-hot, standardised; whether each left."""
    months, bill, calls = rng.gamma(2, 14, COUNT), rng.normal(60, 20, COUNT), rng.poisson(2, COUNT)
    choices = rng.integers(4, size=(COUNT, 3))
    y = 1.5 * (calls - 2) - 0.05 * (months - 28) + 1.5 * (choices[:, 0] == 1) - (choices[:, 1] == 2)
    numbers = np.stack([months, bill, calls], axis=1)
    x = np.concatenate([numbers, np.eye(4)[choices].reshape(COUNT, 12)], axis=1)
    return split(rng, standardised(x), (y + rng.normal(0, 0.7, COUNT) > 0).astype(np.int64), 2)


def absorbance(rng: Rng) -> Task:
    """200 channels of near-infrared light from 0.3 to 2, on a slope; the value is a content."""
    channel = np.linspace(0, 1, 200)
    content = rng.uniform(0, 1, (COUNT, 3))
    bands = np.exp(-(((channel - np.array([[0.25], [0.5], [0.7]])) / 0.08) ** 2))
    base = rng.uniform(0.4, 0.8, (COUNT, 1)) + rng.uniform(0.1, 0.4, (COUNT, 1)) * channel
    x = base + 0.6 * content @ bands + rng.normal(0, 0.005, (COUNT, 200))
    return split(rng, x.astype(np.float32), standardised(content[:, :1]), 0)


def loads(rng: Rng) -> Task:
    """48 half-hours of a household's power in kilowatts, most below 2; the class is of 3 habits."""
    y = rng.integers(3, size=COUNT)
    hour, peak = np.arange(48) / 2, np.array([[7, 19], [12, 13], [22, 23]])[y]
    late = rng.normal(0, 0.7, (COUNT, 2, 1))
    humps = np.exp(-(((hour - peak[:, :, None] - late) / 1.5) ** 2)).sum(axis=1)
    x = 0.5 + humps * rng.uniform(0.5, 1.2, (COUNT, 1)) + rng.gamma(2, 0.08, (COUNT, 48))
    return split(rng, x.astype(np.float32), y, 3)


def _beats(rng: Rng) -> tuple[Array, Array]:
    y = rng.integers(3, size=COUNT)
    time = np.arange(96) / 96 - rng.uniform(0.4, 0.5, (COUNT, 1))
    width = np.where(y == 1, 0.06, 0.02)[:, None] * rng.uniform(0.9, 1.1, (COUNT, 1))
    tall = rng.uniform(0.9, 1.2, (COUNT, 1))
    wave = np.where(y == 2, -0.25, 0.3)[:, None] * np.exp(-(((time - 0.25) / 0.06) ** 2))
    early = 0.15 * (y != 1)[:, None] * np.exp(-(((time + 0.17) / 0.03) ** 2))
    x = tall * np.exp(-((time / width) ** 2)) + wave + early + rng.normal(0, 0.05, (COUNT, 96))
    return x[:, :, None], y


def beats(rng: Rng) -> Task:
    """96 steps of a heart's beat, standardised as a whole; usual, wide or its end turned."""
    x, y = _beats(rng)
    return split(rng, ((x - x.mean()) / x.std()).astype(np.float32), y, 3)


def beats_as_read(rng: Rng) -> Task:
    """The same as a converter reads them: shares of its range, the baseline above the middle."""
    x, y = _beats(rng)
    return split(rng, (0.6 + 0.2 * x).astype(np.float32), y, 3)


def machine_as_read(rng: Rng) -> Task:
    """32 steps of pascals, degrees, turns and amperes of a pump; sound, leaking or worn."""
    y = rng.integers(3, size=COUNT)
    time, leaks, worn = np.arange(32) / 32, (y == 1)[:, None], (y == 2)[:, None]
    x = np.stack(
        [
            200_000 - 9_000 * leaks * time + rng.normal(0, 2_000, (COUNT, 32)),
            60 + 5 * worn * time + rng.normal(0, 1.5, (COUNT, 32)),
            2_900 + 30 * np.sin(2 * np.pi * 4 * time) * worn + rng.normal(0, 15, (COUNT, 32)),
            12 + 0.8 * worn - 0.8 * leaks * time + rng.normal(0, 0.5, (COUNT, 32)),
        ],
        axis=2,
    )
    return split(rng, x.astype(np.float32), y, 3)


def shares(rng: Rng) -> Task:
    """20 days of a share in cents, three prices and how many were sold; the next day's move."""
    moves = rng.normal(0, 0.005, (COUNT, 21))
    for day in range(1, 21):
        moves[:, day] += 0.9 * moves[:, day - 1]
    close = rng.uniform(2_000, 9_000, (COUNT, 1)) * np.exp(moves.cumsum(axis=1))
    spread = close * rng.uniform(0.002, 0.01, (COUNT, 21))
    sold = rng.lognormal(8, 0.3, (COUNT, 21))
    x = np.stack([close, close + spread, close - spread, sold], axis=2)[:, :20]
    return split(rng, x.astype(np.float32), standardised(moves[:, -1:]), 0)


def views_as_counted(rng: Rng) -> Task:
    """How often each of 40 pages was seen, a few of them very often; which of 4 campaigns ran."""
    y = rng.integers(4, size=COUNT)
    base = np.exp(rng.normal(5, 1.5, 40))
    lift = np.where(rng.random((4, 40)) < 0.25, 2.5, 1)[y]
    x = rng.poisson(base * lift * rng.lognormal(0, 0.2, (COUNT, 1)))
    return split(rng, x.astype(np.float32), y, 4)


def levels(rng: Rng) -> Task:
    """64 bands of a sound in decibels below full scale, as shares of 80; which of 3 engines."""
    y = rng.integers(3, size=COUNT)
    first = np.array([5, 7, 9])[y][:, None] + rng.normal(0, 0.2, (COUNT, 1))
    comb = np.cos(2 * np.pi * np.arange(64) / first) - np.arange(64) / 32
    level = -35 + 10 * comb + rng.normal(0, 3, (COUNT, 64))
    return split(rng, (np.clip(level, -80, 0) / 80).astype(np.float32), y, 3)


def _forms(rng: Rng) -> tuple[Array, Array]:
    """Ink, from 0 to 1, on [COUNT, 14, 14]: a frame, a cross, a bar or two dots."""
    y = rng.integers(4, size=COUNT)
    row, column = np.mgrid[:14, :14] - 6.5
    at, size = rng.uniform(-1.5, 1.5, (2, COUNT, 1, 1)), rng.uniform(3, 4.5, (COUNT, 1, 1))
    down, across = np.abs(row - at[0]), np.abs(column - at[1])
    most = np.maximum(down, across)
    made = [
        np.abs(most - size) < 0.8,
        (np.minimum(down, across) < 0.8) & (most < size),
        (down < 1.5) & (across < size),
        np.hypot(down, across - size + 1) < 1.6,
    ]
    ink = np.choose(y[:, None, None], [np.broadcast_to(one, (COUNT, 14, 14)) for one in made])
    return np.clip(ink * rng.uniform(0.6, 1, (COUNT, 1, 1)), 0, 1), y


def scans(rng: Rng) -> Task:
    """14 x 14 grey values of one of 4 forms in ink on white paper: most are near 1."""
    ink, y = _forms(rng)
    x = np.clip(0.95 - 0.8 * ink + rng.normal(0, 0.04, ink.shape), 0, 1)
    return split(rng, x[..., None].astype(np.float32), y, 4)


def forms(rng: Rng) -> Task:
    """The same in light on dark, standardised as a whole."""
    ink, y = _forms(rng)
    x = ink + rng.normal(0, 0.1, ink.shape)
    return split(rng, ((x - x.mean()) / x.std()).astype(np.float32)[..., None], y, 4)


def slow(rng: Rng) -> Task:
    """64 steps of 2 slow sensors that are read far too often; whether both go the same way."""
    start, end = rng.normal(size=(2, COUNT, 1, 2))
    x = start + 0.3 * end * np.linspace(0, 1, 64)[:, None] + rng.normal(0, 0.05, (COUNT, 64, 2))
    return split(rng, standardised(x), (start[:, 0].prod(axis=1) > 0).astype(np.int64), 2)


def reviews(rng: Rng) -> Task:
    """6 to 12 words of a review; blame, neither or praise."""
    y = rng.integers(3, size=COUNT)
    told = [OTHER, BLAME, PRAISE]
    x = np.zeros((COUNT, WORDS), np.int64)
    for one, kind in enumerate(y):
        length = rng.integers(6, WORDS + 1)
        lists = [told[kind] if rng.random() < 0.35 else OTHER for _ in range(length)]
        x[one, :length] = [LEXICON[words[rng.integers(len(words))]] for words in lists]
    return split(rng, x, np.array([1, 0, 2])[y], 3, tokens=1 + len(LEXICON))


# Those of the above that enter a model as they should.
flats = entering(flats_as_listed, standardised)
machine = entering(machine_as_read, standardised)
prices = entering(shares, lambda x: standardised(np.log(x / x[:, :1])))
views = entering(views_as_counted, lambda x: standardised(np.log1p(x)))
spectra = entering(absorbance, standardised)
profiles = entering(loads, standardised)
bands = entering(levels, standardised)
