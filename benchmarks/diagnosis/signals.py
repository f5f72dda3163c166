"""Signals, images, words and a table that look like what is measured, in the units of that."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import chain
from pydoc_data.topics import topics

import numpy as np
from scipy.signal import chirp, fftconvolve, spectrogram
from sklearn import datasets

from benchmarks.diagnosis.tasks import Array, Maker, Rng, Task, split

# Of which Python's help tells the most, and which are about different things.
SUBJECTS = ("compound", "debugger", "formatstrings", "types")
# Centres, widths and heights of the waves P, Q, R, S and T of each kind of beat, in beats and mV.
BEATS = (
    ((0.2, 0.36, 0.4, 0.44, 0.7), (0.025, 0.01, 0.012, 0.01, 0.05), (0.15, -0.1, 1, -0.2, 0.3)),
    ((0.2, 0.28, 0.36, 0.5, 0.75), (0.025, 0.03, 0.04, 0.05, 0.06), (0, -0.2, 1.2, -0.5, -0.3)),
    ((0.2, 0.36, 0.4, 0.44, 0.7), (0.025, 0.01, 0.012, 0.01, 0.07), (0.15, -0.1, 0.8, -0.3, -0.2)),
)


def _refitted(task: Task, offset: Array, scale: Array) -> Task:
    train, test = (
        ((x - offset) / np.maximum(scale, 1e-6)).astype(np.float32) for x in (task.x, task.test_x)
    )
    return replace(task, x=train, test_x=test)


def _channels(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def standard(make: Maker) -> Maker:
    """A task of which each channel has mean 0 and variance 1."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        x = _channels(task.x)
        return _refitted(task, x.mean(axis=0), x.std(axis=0))

    return maker


def ranged(make: Maker) -> Maker:
    """A task of which each channel reaches from 0 to 1."""

    def maker(rng: Rng) -> Task:
        task = make(rng)
        x = _channels(task.x)
        return _refitted(task, x.min(axis=0), np.ptp(x, axis=0))

    return maker


def beats(rng: Rng) -> Task:
    """64 steps of 6 leads of a heart, in mV, as sums of waves (McSharry et al. 2003).

    The class: a beat as usual, one that is early, or one of a heart that lacks oxygen.
    """
    y = rng.integers(3, size=1_200)
    centre, spread, height = np.array(BEATS)[y].swapaxes(0, 1)[..., None]
    time = np.linspace(0, 1, 64) + rng.normal(0, 0.02, (1_200, 1, 1))
    waves = height * np.exp(-(((time - centre) / spread) ** 2) / 2)
    lead = rng.uniform(0.4, 1, (5, 6)) * rng.uniform(0.8, 1.2, (1_200, 1, 6))
    x = waves.transpose(0, 2, 1) @ lead
    wander = rng.normal(0, 0.05, (1_200, 1, 6)) + rng.normal(0, 0.03, x.shape)
    return split(rng, (x + wander).astype(np.float32), y, 3)


def bearings(rng: Rng) -> Task:
    """96 steps of 3 accelerations; what is damaged, if anything, rings every 12, 19 or 31 steps."""
    y = rng.integers(4, size=1_200)
    period = np.array([1_000, 12, 19, 31])[y]
    first = (rng.random(1_200) * np.minimum(period, 96)).astype(int)
    struck = ((np.arange(96) - first[:, None]) % period[:, None] == 0) & (y > 0)[:, None]
    after = np.arange(10)
    ringing = np.exp(-after / 3) * np.cos(1.8 * after)
    rung = fftconvolve(struck.astype(float), ringing[None], axes=1)[:, :96]
    x = rung[:, :, None] * rng.uniform(1.5, 3, (1_200, 1, 3)) + rng.normal(0, 0.4, (1_200, 96, 3))
    return split(rng, x.astype(np.float32), y, 4)


def sensors(rng: Rng) -> Task:
    """48 half hours of temperature, moisture, pressure, voltage and current.

    In °C, %, hPa, V and mA. The class: the thermometer is fine, drifts, stands still or spikes.
    """
    y = rng.integers(4, size=1_200)
    phase = 2 * np.pi * (np.arange(48) + rng.normal(0, 3, (1_200, 1))) / 48
    x = np.empty((1_200, 48, 5))
    x[..., 0] = 18 + rng.normal(0, 2, (1_200, 1)) + 5 * np.sin(phase)
    x[..., 1] = 65 + rng.normal(0, 6, (1_200, 1)) - 12 * np.sin(phase)
    x[..., 2] = 1_010 + rng.normal(0, 8, (1_200, 1)) + rng.normal(0, 1, (1_200, 48)).cumsum(axis=1)
    x[..., 3] = 3.3 + rng.normal(0, 0.05, (1_200, 48))
    x[..., 4] = 20 + 4 * np.sin(phase + 1) + rng.normal(0, 1, (1_200, 48))
    x[y == 1, :, 0] += np.linspace(0, 12, 48)
    x[y == 2, 12:, 0] = x[y == 2, 12, None, 0]
    x[..., 0] += rng.normal(0, 0.3, (1_200, 48))
    x[y == 3, :, 0] += 8 * (rng.random((int(np.sum(y == 3)), 48)) < 0.12)
    return split(rng, x.astype(np.float32), y, 4)


def visitors(rng: Rng) -> Task:
    """Hundreds of people at 8 doors in each of 24 hours; the class is the kind of day."""
    y = rng.integers(4, size=1_200)
    hour = np.arange(24)
    shapes = np.stack(
        [
            np.exp(-(((hour - 8) / 3) ** 2)),
            np.exp(-(((hour - 13) / 3) ** 2)),
            np.exp(-(((hour - 18) / 3) ** 2)),
            np.full(24, 0.4),
        ]
    )
    often = rng.lognormal(0, 0.3, (1_200, 1, 8)) * rng.uniform(300, 900, 8)
    x = rng.poisson(often * (0.3 + shapes[y][:, :, None]))
    return split(rng, x.astype(np.float32), y, 4)


def chirps(rng: Rng) -> Task:
    """Images of a sound's power in 16 bands and 16 windows, in dB.

    The class: a tone that rises, falls or rests, or two of them.
    """
    y = rng.integers(4, size=1_000)
    time = np.arange(272) / 256
    low, high = rng.uniform(15, 40, 1_000), rng.uniform(70, 110, 1_000)
    ends = {0: (low, high), 1: (high, low), 2: (low, low), 3: (low, low)}
    sound = np.stack(
        [
            chirp(time, ends[int(kind)][0][one], 1, ends[int(kind)][1][one])
            + (np.sin(2 * np.pi * high[one] * time) if kind == 3 else 0)
            for one, kind in enumerate(y)
        ]
    )
    sound += rng.normal(0, 0.3, sound.shape)
    power = spectrogram(sound, fs=256, nperseg=32, noverlap=16)[2][:, 1:, :]
    x = 10 * np.log10(power + 1e-6)
    return split(rng, x[..., None].astype(np.float32), y, 4)


def cells(rng: Rng) -> Task:
    """14 x 14 grey values, 0 to 255, with up to 5 bright cells; the value is how many of them."""
    y = rng.integers(6, size=1_200)
    row, column = np.mgrid[:14, :14]
    x = rng.normal(80, 10, (1_200, 14, 14))
    for one, count in enumerate(y):
        for at in rng.uniform(2, 12, (count, 2)):
            far = (row - at[0]) ** 2 + (column - at[1]) ** 2
            x[one] += rng.uniform(60, 100) * np.exp(-far / 2)
    value = (y[:, None] - y.mean()) / y.std()
    return split(rng, x.clip(0, 255)[..., None].astype(np.float32), value.astype(np.float32), 0)


def pairs(rng: Rng) -> Task:
    """Two digits as the channels of an image; the class is whether the first one is the larger."""
    x, y = datasets.load_digits(return_X_y=True)
    first, second = rng.integers(len(x), size=(2, 1_500))
    both = np.stack([x[first], x[second]], axis=-1).reshape(-1, 8, 8, 2) / 16
    return split(rng, both.astype(np.float32), (y[first] > y[second]).astype(np.int64), 2)


def applicants(rng: Rng) -> Task:
    """Age, income, debts and the like of people, 12 columns; the class is whether they paid."""
    count = 1_500
    age = rng.uniform(20, 70, count)
    income = rng.lognormal(10.4, 0.5, count)
    debts = income * rng.gamma(2, 0.3, count)
    months = rng.exponential(12 * (age - 18) / 8)
    late = rng.poisson(1.5, count)
    flags = rng.random((count, 7)) < rng.uniform(0.2, 0.7, 7)
    score = (
        1.5 * (debts / income - 0.6)
        + 0.6 * (late - 1.5)
        - 0.02 * (months - 30)
        + np.where(flags[:, 0], 0.8, -0.4)
        + rng.normal(0, 0.4, count)
    )
    x = np.column_stack([age, income, debts, months, late, flags])
    return split(rng, x.astype(np.float32), (score > np.median(score)).astype(np.int64), 2)


@cache
def _words() -> dict[str, list[str]]:
    return {subject: re.findall("[a-z]+", topics[subject].lower()) for subject in SUBJECTS}


def spellings(rng: Rng) -> Task:
    """Words of 5 to 10 letters, blanks behind them; the class is whether chance wrote them."""
    every = sorted({word for text in topics.values() for word in re.findall("[a-z]{5,10}", text)})
    y = rng.integers(2, size=1_500)
    x = np.zeros((1_500, 10), np.int64)
    for one, word in enumerate(rng.choice(every, 1_500, replace=False)):
        letters = np.array([ord(letter) - ord("a") + 1 for letter in word])
        x[one, : len(letters)] = rng.integers(1, 27, len(word)) if y[one] else letters
    return split(rng, x, y, 2, tokens=27)


def subjects(rng: Rng) -> Task:
    """12 words of Python's help, rare ones as 0; the class is what it tells about."""
    texts = list(_words().values())
    frequent = [word for word, _ in Counter(chain(*texts)).most_common(255)]
    number = {word: one for one, word in enumerate(frequent, 1)}
    x = [
        [number.get(word, 0) for word in text[at : at + 12]]
        for text in texts
        for at in range(0, len(text) - 12, 12)
    ]
    y = np.repeat(range(len(texts)), [len(range(0, len(text) - 12, 12)) for text in texts])
    return split(rng, np.array(x), y, len(texts), tokens=256)
