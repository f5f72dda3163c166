"""Unit maps on the server: the picture of one row, and that they are no statistics."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from gainstage import units, wire
from gainstage_server import models
from gainstage_server.buckets import Buckets
from gainstage_server.history import History, Window
from gainstage_server.layout import Layout
from gainstage_server.store.interface import Store

from .committing import Commit, commit
from .conftest import Running
from .trainer import Trainer, send

__all__ = ["commit"]  # the fixture

RUN = "/api/v1/runs/canonical"
BINARY = {"accept": "application/x-gainstage"}
# Of the trainer's three rows: two groups of many units, three units, and none.
COUNTS = (130, 3, 0)
EXISTS = units.presence(np.array((2, 3, 0)))


def schema(trainer: Trainer, exists: Any = EXISTS, **changes: Any) -> bytes:
    """A schema that has a unit map beside its statistics."""
    message = trainer.schema_message()
    columns = tuple(wire.Column(id, 1) for id in units.IDS)
    rows = trainer.rows
    block = wire.BlockSchema(columns, wire.packed(exists[:rows]), COUNTS[:rows])
    block = msgspec.structs.replace(block, **changes)
    blocks = {**message.blocks, units.UNITS: block}
    return wire.encode(msgspec.structs.replace(message, blocks=blocks))


def mapped(trainer: Trainer, step: int, first: float, second: float = 0.0) -> bytes:
    """A frame with the map: the first two columns of every row."""
    frame, blocks = wire.decode(trainer.quiet(step))
    block = np.zeros((trainer.rows, 64), np.float32)
    block[:, :2] = first, second
    return wire.encode(frame, {**blocks, units.UNITS: block})


def opening(trainer: Trainer, **changes: Any) -> list[bytes]:
    return [trainer.run_start(), schema(trainer, **changes)]


@pytest.fixture
def watched(server: Running) -> Running:
    """A server with six frames of a run, of which every other one has a map."""
    trainer = Trainer()
    before = opening(trainer)
    frames = [
        mapped(trainer, step, step / 100, 0.5) if step % 20 == 0 else trainer.quiet(step)
        for step in range(0, 60, 10)
    ]
    assert send(server.ws, [*before, *frames]) == []
    return server


def test_picture_of_a_row_has_a_column_for_each_frame_with_a_map(watched: Running) -> None:
    answer = watched.get(f"{RUN}/units?layer=dense_0")

    models.Units.model_validate_json(answer.content, strict=True)
    assert answer.json() == {
        "run": "canonical",
        "row": "row0",
        "layer": "dense_0",
        "units": 130,
        "groups": 2,
        "steps": [0, 20, 40],
        "frames": [1, 1, 1],
        "downsampled": False,
        "pinned": [
            pytest.approx([0.0, 0.2, 0.4]),
            [0.5, 0.5, 0.5],
        ],
    }


def test_binary_picture_says_the_same_as_the_one_in_json(watched: Running) -> None:
    path = f"{RUN}/units?layer=row1&points=2"

    shown = watched.get(path).json()
    binary = watched.get(path, headers=BINARY)

    magic, version, size = wire.PREFIX.unpack_from(binary.content)
    header = msgspec.msgpack.decode(binary.content[8 : 8 + size])
    (block,) = header.pop("blocks")
    start = 8 + size + -(8 + size) % wire.ALIGNMENT + block["offset"]
    pinned = np.frombuffer(binary.content, "<f4", math.prod(block["shape"]), start)
    assert (magic, version) == (wire.MAGIC, wire.VERSION)
    assert binary.headers["content-type"] == "application/x-gainstage"
    assert header.pop("type") == "units"
    assert block["name"] == "pinned"
    assert header | {"pinned": pinned.reshape(block["shape"]).tolist()} == shown
    assert (shown["downsampled"], block["shape"]) == (True, [3, 2])


def test_of_a_bucket_the_largest_is_shown_so_that_no_spike_is_lost(server: Running) -> None:
    trainer = Trainer()
    before = opening(trainer)
    frames = [mapped(trainer, step, 1.0 if step == 37 else 0.25) for step in range(90)]
    send(server.ws, [*before, *frames])

    shown = server.get(f"{RUN}/units?layer=dense_0&points=3").json()

    assert (shown["steps"], shown["downsampled"]) == ([29, 59, 89], True)
    assert shown["pinned"][0] == [0.25, 1.0, 0.25]


def test_window_holds_its_ends(watched: Running) -> None:
    assert watched.get(f"{RUN}/units?layer=dense_0&from=20&to=40").json()["steps"] == [20, 40]


@pytest.mark.parametrize("layer", ["dense_2", "row2"])
def test_row_without_a_map_has_an_empty_picture(watched: Running, layer: str) -> None:
    shown = watched.get(f"{RUN}/units?layer={layer}").json()

    assert (shown["units"], shown["groups"], shown["steps"], shown["pinned"]) == (0, 0, [], [])
    assert watched.get(f"{RUN}/units?layer={layer}", headers=BINARY).status_code == 200


def test_run_of_an_earlier_release_has_empty_pictures(server: Running) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), trainer.quiet(0)])

    shown = server.get(f"{RUN}/units?layer=dense_0").json()

    assert (shown["units"], shown["groups"], shown["steps"]) == (0, 0, [])


def test_layer_that_is_unknown_is_answered_with_those_that_are_known(watched: Running) -> None:
    answer = watched.get(f"{RUN}/units?layer=dense_9")

    assert answer.status_code == 404
    assert "dense_0, dense_1, dense_2" in answer.json()["detail"]


def test_units_are_no_statistics_of_any_answer(watched: Running) -> None:
    layers = watched.get(f"{RUN}/layers").json()["rows"]
    statistics = watched.get("/api/v1/statistics").json()["statistics"]
    unknown = [
        watched.get(f"{RUN}/series?layer=dense_0&statistic=unit_00"),
        watched.get(f"{RUN}/heatmap?statistic=unit_00"),
    ]

    named = {name for row in layers for name in row["values"]} | {one["id"] for one in statistics}
    assert not named & set(units.IDS)
    assert [answer.status_code for answer in unknown] == [404, 404]
    assert not any("unit_01" in answer.json()["detail"] for answer in unknown)


def test_map_whose_columns_have_names_of_statistics_is_still_none() -> None:
    message = wire.decode(schema(Trainer(statistics=("pre_db",))))[0]
    columns = tuple(wire.Column(id, 1) for id in ("pre_db", "bias_db"))
    block = wire.BlockSchema(columns, b"\xff")
    blocks = {**message.blocks, units.UNITS: block}

    layout = Layout.of(msgspec.structs.replace(message, blocks=blocks))

    assert layout.places == {"pre_db": ("layers", 0)}


def test_map_does_not_change_what_is_judged(server: Running) -> None:
    trainer, nothing = Trainer(), np.full((3, 64), np.nan, np.float32)
    before = opening(trainer)
    loud = [wire.decode(trainer.loud(10 * index)) for index in range(5)]
    frames = [wire.encode(frame, {units.UNITS: nothing, **blocks}) for frame, blocks in loud]

    send(server.ws, [*before, *frames])

    (found,) = server.get(f"{RUN}/findings").json()["findings"]
    assert (found["verdict"], found["layer"]) == ("activity", "dense_1")


# -- History ---------------------------------------------------------------------------------------


def read(store: Store, row: str, groups: int, **window: int) -> Buckets:
    return History(store, "canonical").units(row, groups, Window(**window))


def test_row_is_found_by_its_identity_in_frames_of_an_earlier_schema(
    store: Store, commit: Commit
) -> None:
    trainer = Trainer()
    commit(*opening(trainer), mapped(trainer, 0, 0.25, 0.5))
    rows = tuple(reversed(trainer.schema_message().rows))
    trainer.seq -= 1
    message = wire.decode(schema(trainer, exists=EXISTS[::-1], units=COUNTS[::-1]))[0]
    commit(wire.encode(msgspec.structs.replace(message, rows=rows)), mapped(trainer, 1, 0.75, 1.0))

    buckets = read(store, "row0", 2)

    assert buckets.max.tolist() == [[0.25, 0.5], [0.75, 1.0]]
    assert buckets.frames.tolist() == [1, 1]


def test_attempt_of_fewer_rows_is_read_too(store: Store, commit: Commit) -> None:
    few, many = Trainer(rows=1), Trainer(attempt="a2", time=2_000.0)
    commit(*opening(few), mapped(few, 5, 0.25))
    commit(*opening(many), mapped(many, 10, 0.75))

    assert read(store, "row0", 2).max.tolist() == [[0.25, 0.0], [0.75, 0.0]]


def test_groups_that_a_row_had_not_before_are_absent_there(store: Store, commit: Commit) -> None:
    trainer = Trainer()
    commit(*opening(trainer), mapped(trainer, 0, 0.25, 0.5))

    assert read(store, "row0", 3).present.tolist() == [[True, True, False]]
    assert read(store, "row0", 1).max.tolist() == [[0.25]]
    assert read(store, "gone", 2).frames.tolist() == []
