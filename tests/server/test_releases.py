"""Trainers and servers of different releases: the rule that `gainstage.wire` states."""

from pathlib import Path

import msgspec
from websockets.sync.client import connect

from gainstage import wire
from gainstage.statistics import IDS

from .conftest import Running
from .trainer import Trainer, acknowledged, read, send

CONTRACT = Path(__file__).parents[1] / "contract"


def rewritten(message: bytes, version: int = wire.VERSION, **fields: object) -> bytes:
    """The message as a later release might write it: without blocks, and with other fields."""
    header = msgspec.to_builtins(wire.decode(message)[0]) | fields
    data = msgspec.msgpack.encode(header)
    start = wire.PREFIX.pack(wire.MAGIC, version, len(data)) + data
    return start + bytes(-len(start) % wire.ALIGNMENT)


def test_a_kind_that_only_a_later_trainer_knows_is_refused_and_the_rest_is_stored(
    server: Running,
) -> None:
    trainer = Trainer()
    later = rewritten(trainer.run_start(), seq=2, type="weather")
    trainer.seq = -1
    messages = [*trainer.opening(), later]
    trainer.seq += 1

    (refusal,) = send(server.ws, [*messages, trainer.frame(7)])

    kept = server.get("/api/v1/refused").json()["messages"]
    assert refusal.seq == 2
    assert "'weather'" in refusal.reason
    assert "Update the side that reads it. Here that is the server." in refusal.reason
    assert [(one["run"], one["seq"]) for one in kept] == [("canonical", 2)]
    assert server.get(f"/api/v1/refused/{kept[0]['id']}").content == later
    assert server.get("/api/v1/runs/canonical").json()["step"] == 7


def test_a_value_that_only_a_later_trainer_knows_is_refused_by_its_seq(server: Running) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), rewritten(trainer.notice(), level="debug"), trainer.frame(7)]

    (refusal,) = send(server.ws, messages)

    assert refusal.seq == 2
    assert "'debug'" in refusal.reason


def test_a_later_version_is_refused_so_that_the_trainer_keeps_it(server: Running) -> None:
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(rewritten(Trainer().run_start(), version=wire.VERSION + 1))
        refused = read(socket.recv(timeout=10))
        socket.send(Trainer(run="other").run_start())
        acknowledged(socket, 0)

    assert refused.seq is None
    assert "bring trainer and server to the same release" in refused.reason
    assert [one["seq"] for one in server.get("/api/v1/refused").json()["messages"]] == [0]


def test_a_statistic_of_a_later_release_is_shown_and_disturbs_no_rule(server: Running) -> None:
    trainer = Trainer(statistics=("weather", *IDS))
    messages = [*trainer.opening(), *(trainer.loud(10 * index) for index in range(4))]

    assert send(server.ws, messages) == []

    row = server.get("/api/v1/runs/canonical/layers").json()["rows"][1]
    series = server.get("/api/v1/runs/canonical/series?layer=dense_1&statistic=weather").json()
    assert (row["verdict"], row["values"]["weather"]) == ("activity", "NaN")
    assert series["steps"] == [0, 10, 20, 30]


def test_what_earlier_releases_have_left_in_spools_is_stored(server: Running) -> None:
    names = ("run_start", "schema", "notice", "run_end", "trial")
    recorded = [(CONTRACT / f"{name}.v1.bin").read_bytes() for name in names]

    assert send(server.ws, recorded) == []

    run = server.get("/api/v1/runs/recorded-run").json()
    assert [(one["worker"], one["status"]) for one in run["attempts"]] == [(1, "completed")]
    assert [notice["code"] for notice in run["notices"]] == ["monitor-failed"]
    assert len(server.get("/api/v1/runs/recorded-run/trials").json()["trials"]) == 1
