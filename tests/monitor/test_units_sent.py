"""When a unit map is sent, what the schema says of it, and that no training is the worse for it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gainstage import units, wire
from gainstage.diagnosis import advance, begin
from gainstage.readings import Reading
from gainstage.recorder import Recorder, RunIdentity
from gainstage.sample import Sample
from gainstage.spool import Spool
from gainstage.statistics import IDS
from gainstage.units import COLUMNS, EVERY, FEW_ROWS, UNITS

from . import builders
from .serving import nowhere
from .trainings import TRAININGS
from .twins import Making, alone, deterministic, different, outcome


def sample(activations: list[str]) -> Sample:
    """One value of one unit of each row."""
    made = tuple(
        builders.row(f"r{place}", activation=name) for place, name in enumerate(activations)
    )
    one = np.ones((1, 1), np.float32)
    return Sample(made, lambda: [Reading(z=one, post=one) for _ in made], traced=False)


@contextlib.contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    with nowhere() as url:
        made = Recorder(RunIdentity("run", "p", (), {}), {}, url=url, token=None, folder=folder)
        yield made
        made.close("completed", 0.0)


def spooled(folder: Path) -> list[tuple[wire.AnyMessage, dict[str, wire.FloatBlock]]]:
    """What waits in the spool of a run that is over."""
    (path,) = folder.glob("*.spool")
    with contextlib.closing(sqlite3.connect(path)) as database:
        bodies = database.execute("SELECT body FROM messages ORDER BY seq").fetchall()
    return [wire.decode(body) for (body,) in bodies]


def frames(folder: Path) -> list[dict[str, wire.FloatBlock]]:
    return [blocks for message, blocks in spooled(folder) if isinstance(message, wire.Frame)]


def record(folder: Path, *samples: Sample) -> None:
    training = wire.Training(backend="tensorflow", keras="3")
    with recorder(folder) as made:
        for step, one in enumerate(samples):
            made.record(one, training, step=step, epoch=0, logs={}, costs={})


def test_few_rows_have_a_map_in_every_sample(tmp_path: Path) -> None:
    record(tmp_path, *[sample(["tanh"] * FEW_ROWS)] * 3)

    assert [UNITS in blocks for blocks in frames(tmp_path)] == [True] * 3


def test_many_rows_have_a_map_in_the_first_sample_and_every_fifth_from_there(
    tmp_path: Path,
) -> None:
    record(tmp_path, *[sample(["tanh"] * (FEW_ROWS + 1))] * 11)

    assert [UNITS in blocks for blocks in frames(tmp_path)] == [
        *([True] + [False] * 4) * 2,
        True,
    ]


def test_other_rows_begin_with_a_map_of_their_own(tmp_path: Path) -> None:
    many = ["tanh"] * (FEW_ROWS + 1)

    record(tmp_path, *[sample(many)] * 2, sample([*many, "relu"]))

    assert [UNITS in blocks for blocks in frames(tmp_path)] == [True, False, True]
    schemas = [message for message, _ in spooled(tmp_path) if isinstance(message, wire.Schema)]
    assert [len(schema.blocks[UNITS].units) for schema in schemas] == [65, 66]


def test_maps_of_many_rows_are_less_than_a_quarter_of_what_frames_take() -> None:
    maps = COLUMNS / EVERY

    assert maps / (maps + len(IDS)) < 0.25


def test_spool_that_is_full_keeps_maps_as_often_as_before() -> None:
    spool = Spool(None, max_bytes=2**20)
    for seq in range(1_000):
        body = b"m" if units.due(seq, 1_000) else b"-"
        spool.append(seq, body.ljust(16_384), frame=True)

    kept = b"".join(body[:1] for _, body in spool.after(-1, 1_000))
    spool.close()
    assert spool.thinned > 900
    assert abs(kept.count(b"m") - len(kept) / 5) <= 2


def test_model_of_which_no_row_has_a_map_sends_no_block(tmp_path: Path) -> None:
    record(tmp_path, sample(["linear", "softmax", "gelu"]))

    (schema,) = (message for message, _ in spooled(tmp_path) if isinstance(message, wire.Schema))
    assert UNITS not in schema.blocks
    assert [sorted(blocks) for blocks in frames(tmp_path)] == [["layers"]]


def test_schema_says_which_columns_a_row_has_and_how_many_units(tmp_path: Path) -> None:
    wide, narrow = np.ones((2, 130), np.float32), np.ones((2, 3), np.float32)
    made = (builders.row("a", activation="tanh"), builders.row("b"), builders.row("c"))
    readings = [Reading(z=wide), Reading(z=narrow), Reading(y=narrow)]

    record(tmp_path, Sample(made, lambda: readings, traced=False))

    (schema,) = (message for message, _ in spooled(tmp_path) if isinstance(message, wire.Schema))
    block = schema.blocks[UNITS]
    assert block.units == (130, 3, 0)
    assert wire.mask_of(block, 3).sum(axis=1).tolist() == [64, 3, 0]
    assert [column.id for column in block.columns] == [f"unit_{at:02d}" for at in range(64)]


def test_validation_has_no_map(tmp_path: Path) -> None:
    one = sample(["tanh"])
    with recorder(tmp_path) as made:
        made.record(one, builders.SGD, step=0, epoch=0, logs={}, costs={})
        made.record_validation(one, step=0, epoch=0)

    assert [UNITS in blocks for blocks in frames(tmp_path)] == [True, False]


def test_diagnosis_is_the_same_whatever_a_map_says() -> None:
    plain = builders.schema()
    frame, blocks = builders.sample(5, builders.GUILTY["nonfinite"])
    columns = tuple(wire.Column(id, 1) for id in ("nonfinite_rate", "pre_db"))
    mapped = wire.BlockSchema(columns, b"\x03", (2,))
    schema = wire.Schema(
        **builders.IDENTITY,
        rows=plain.rows,
        blocks={UNITS: mapped, **plain.blocks},
        training=plain.training,
    )

    _, events = advance(begin(plain), frame, blocks)
    _, others = advance(begin(schema), frame, {UNITS: np.zeros((1, 2), np.float32), **blocks})

    assert events
    assert builders.same(events, others)


@pytest.mark.parametrize("name", ["cnn", "bfloat16"])
def test_every_bit_of_a_training_is_the_same_while_maps_are_made(name: str, tmp_path: Path) -> None:
    with deterministic(), nowhere() as url:
        watched = outcome(TRAININGS[name], Making(url, every=1, spool=tmp_path))

        assert different(alone(TRAININGS[name]), watched) == []
    assert all(UNITS in blocks for blocks in frames(tmp_path))
