"""What is refused is kept apart: within bounds, for whoever wants to look, at no one's cost."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.commit import Committer
from gainstage_server.entrance import Sent
from gainstage_server.refused import AT_ONCE, KEPT_BYTES, Apart
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store import tables
from gainstage_server.store.interface import Transaction
from gainstage_server.store.records import RefusedRecord
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .fold import NoFold
from .trainer import Trainer, read, send

NO = wire.Refuse(reason="No.")


def record(id: int, size: int = 10, run: str = "") -> RefusedRecord:
    return RefusedRecord(
        id=id,
        time=id / 1e6,
        run=run,
        attempt="",
        worker=0,
        seq=None,
        reason="No.",
        size=size,
        raw=bytes(size),
    )


def keep(store: SQLiteStore, *records: RefusedRecord) -> None:
    with store.write() as transaction:
        transaction.put_refused(records)


def send_garbage(server: Running) -> None:
    with connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send("text for a human")
        read(socket.recv(timeout=10))


def test_a_refused_message_is_listed_with_its_reason_and_can_be_fetched(server: Running) -> None:
    trainer = Trainer()
    bad = [*trainer.opening(), trainer.frame(1, schema=99), trainer.frame(2)]
    (refusal,) = send(server.ws, bad)
    send_garbage(server)

    answer = server.get("/api/v1/refused").json()

    garbage, frame = answer["messages"]
    assert answer["since_start"] == 2
    assert (garbage["run"], garbage["worker"], garbage["seq"]) == (None, None, None)
    assert (garbage["size"], garbage["kept"]) == (16, 16)
    assert (frame["run"], frame["attempt"], frame["worker"], frame["seq"]) == (
        "canonical",
        "a1",
        0,
        2,
    )
    assert frame["reason"] == refusal.reason
    fetched = server.get(f"/api/v1/refused/{frame['id']}")
    assert fetched.content == bad[2]
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"].startswith("attachment")


def test_an_id_that_is_not_kept_is_unknown(server: Running) -> None:
    assert server.get("/api/v1/refused/7").status_code == 404


def test_what_was_refused_is_still_there_after_a_restart(settings: Settings) -> None:
    with running(settings) as first:
        send_garbage(first)
    with running(settings) as second:
        kept = second.get("/api/v1/refused").json()["messages"]

    assert [message["size"] for message in kept] == [16]


def test_reading_needs_the_read_token(settings: Settings) -> None:
    with running(Settings(database=settings.database, read_token="r", ingest_token="i")) as server:
        assert server.get("/api/v1/refused").status_code == 401


@pytest.mark.parametrize(
    ("limit", "most", "left"), [("REFUSED_MESSAGES", 2, [5, 4]), ("REFUSED_BYTES", 35, [5, 4, 3])]
)
def test_above_a_bound_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch, store: SQLiteStore, limit: str, most: int, left: list[int]
) -> None:
    monkeypatch.setattr(tables, limit, most)

    keep(store, *map(record, (1, 2, 3)))
    keep(store, record(4, run="r"), record(5))

    assert [kept.id for kept in store.refused()] == left


def test_what_was_refused_of_a_run_goes_with_it(store: SQLiteStore) -> None:
    keep(store, record(1, run="gone"), record(2, run="other"), record(3))

    with store.write() as transaction:
        transaction.drop_run("gone")

    assert [kept.id for kept in store.refused()] == [3, 2]


def test_of_a_flood_a_few_are_kept_and_then_one_a_second() -> None:
    apart, flood = Apart(), [(b"garbage", NO, None)] * 1_000

    at_once = apart.choose(flood, 100.0)
    at_the_same_time = apart.choose(flood, 100.0)
    later = apart.choose(flood, 102.5)
    when_the_clock_was_set_back = apart.choose(flood, 50.0)

    assert (len(at_once), at_the_same_time, len(later)) == (AT_ONCE, [], 2)
    assert when_the_clock_was_set_back == []
    ids = [kept.id for kept in (*at_once, *later)]
    assert ids == sorted(set(ids))


def test_of_a_long_message_the_beginning_is_kept() -> None:
    (kept,) = Apart().choose([(bytes(KEPT_BYTES + 1), NO, None)], 0.0)

    assert (kept.size, kept.raw) == (KEPT_BYTES + 1, bytes(KEPT_BYTES))


@pytest.mark.parametrize(
    "identity", [{"run": "../r"}, {"attempt": "a" * 129}, {"worker": -1}, {"seq": 2**63}]
)
def test_an_identity_that_none_can_have_is_not_believed(identity: dict[str, object]) -> None:
    start = wire.RunStart(
        **{"run": "r", "attempt": "a", "seq": 0, "time": 0.0, "project": "p"} | identity
    )

    (kept,) = Apart().choose([(wire.encode(start), NO, None)], 0.0)

    assert (kept.run, kept.attempt, kept.worker, kept.seq) == ("", "", 0, None)


class CountingStore(SQLiteStore):
    """Counts its transactions."""

    writes = 0

    def write(self) -> AbstractContextManager[Transaction]:
        self.writes += 1
        return super().write()


def test_a_flood_of_garbage_costs_one_transaction(tmp_path: Path) -> None:
    store = CountingStore(tmp_path / "counted.db")
    store.open()
    committer = Committer(
        Settings(disk_floor=0), store, NoFold(), Runs(store, 60.0), clock=lambda: 1_000.0
    )

    outcomes = [committer.commit([Sent(b"garbage")] * 100).outcomes for _ in range(50)]

    assert {type(outcome) for batch in outcomes for outcome in batch} == {wire.Refuse}
    assert store.writes == 1
    assert len(store.refused()) == AT_ONCE
    store.close()
