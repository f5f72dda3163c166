"""Whatever trainers, connections, disks and restarts do: each message once, and none acknowledged
before it is stored. A Hypothesis state machine over the writer, the sessions and a real store."""

import asyncio
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Table
from tests.postgresql import Cluster

from gainstage import wire
from gainstage_server import writer as writer_module
from gainstage_server.commit import Committer
from gainstage_server.counters import Counters
from gainstage_server.entrance import Outcome
from gainstage_server.ingest import Session
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store import tables
from gainstage_server.store.interface import StoreError, Transaction
from gainstage_server.store.postgresql import PostgreSQLStore
from gainstage_server.store.records import Stream
from gainstage_server.store.sql import SQLStore
from gainstage_server.store.sqlite import SQLiteStore
from gainstage_server.writer import Writer

from .fold import NoFold
from .trainer import Trainer

STREAMS = [
    Stream("one", "a", 0),
    Stream("one", "a", 1),
    Stream("one", "b", 0),
    Stream("two", "a", 0),
]
KINDS = st.sampled_from(["frame", "frame", "frame", "notice", "schema", "run_end", "bad"])
# What becomes of a transaction: the disk fails at its start, or at its end.
FATES = st.lists(st.sampled_from(["kept", "refused", "undone"]), max_size=6)


class Flaky(SQLStore):
    """Fails when the test says so."""

    fates: Sequence[str] = ()

    @contextmanager
    def write(self) -> Generator[Transaction]:
        *self.fates, fate = self.fates or ["kept"]
        if fate == "refused":
            raise StoreError("The disk is on fire.")
        with super().write() as transaction:
            yield transaction
            if fate == "undone":
                raise StoreError("The disk was on fire.")

    def stored(self, table: Table) -> dict[Stream, list[tuple[int, bytes]]]:
        """Stream -> seq and bytes of everything that the table holds."""
        found: dict[Stream, list[tuple[int, bytes]]] = {}
        for row in self._rows(table.select()):
            stream = Stream(row.run, row.attempt, row.worker)
            found.setdefault(stream, []).append((row.seq, row.raw))
        return found


class FlakySQLite(Flaky, SQLiteStore):
    pass


class FlakyPostgreSQL(Flaky, PostgreSQLStore):
    pass


class Connection:
    """What the server holds of a connection, until both sides have forgotten it."""

    def __init__(self) -> None:
        self.session = Session()
        self.behind = 0.0
        self.project: str | None = None
        self.failed = False

    def answer(self, outcomes: list[Outcome]) -> None:
        self.session.answer(outcomes)

    def fail(self, reason: str) -> None:
        self.failed = True


@dataclass
class Sender:
    """A trainer that keeps what it made until it was answered, as its spool does."""

    maker: Trainer
    made: dict[int, bytes] = field(default_factory=dict)
    spool: dict[int, bytes] = field(default_factory=dict)
    refusable: set[int] = field(default_factory=set)
    dispensable: set[int] = field(default_factory=set)  # refusable or thinned
    refused: set[int] = field(default_factory=set)
    acked: int = -1
    sent: int = -1
    connection: Connection | None = None

    def append(self, kind: str) -> None:
        """Make a message; a `bad` one refers to a schema that never comes."""
        maker = self.maker
        match kind:
            case "frame":
                message = maker.frame(maker.seq)
            case "bad":
                message = maker.frame(maker.seq, schema=2**40)
                self.refusable.add(maker.seq)
                self.dispensable.add(maker.seq)
            case _:
                message = getattr(maker, kind)()
        self.made[maker.seq] = self.spool[maker.seq] = message

    def read(self) -> None:
        """Take what the server has answered."""
        assert self.connection
        for data in self.connection.session.data_to_send():
            message = wire.decode(data)[0]
            if isinstance(message, wire.Refuse):
                self.refused.add(message.seq)
                self.spool.pop(message.seq, None)
            else:
                self.acked = max(self.acked, message.seq)
                self.spool = {seq: raw for seq, raw in self.spool.items() if seq > message.seq}


senders = st.sampled_from(range(len(STREAMS)))


class IngestMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.lasts = ExitStack()
        self.store = self.empty_store()
        self.lasts.callback(self.store.close)
        self.store.open()
        self.inbox: list[tuple[Connection, bytes]] = []
        self.senders = [
            Sender(Trainer(*stream, statistics=("pre_db",), time=1_000.0 + 100 * index))
            for index, stream in enumerate(STREAMS)
        ]

    def empty_store(self) -> Flaky:
        folder = self.lasts.enter_context(tempfile.TemporaryDirectory())
        return FlakySQLite(Path(folder) / "machine.db")

    def teardown(self) -> None:
        with self.lasts:
            self.settle()

    @initialize()
    def start(self) -> None:
        self.inbox.clear()
        for sender in self.senders:
            sender.connection = None
        self.runs = Runs(self.store, 60.0)
        self.runs.load()
        self.committer = Committer(
            Settings(disk_floor=0), self.store, NoFold(), self.runs, clock=lambda: 5_000.0
        )
        self.check()

    @rule()
    def kill_the_server(self) -> None:
        """What was not committed is gone, and so is every connection."""
        self.start()

    @rule(which=senders, kinds=st.lists(KINDS, max_size=8), count=st.integers(0, 20))
    def train(self, which: int, kinds: list[str], count: int) -> None:
        """Append messages, and send `count` of those that have not been sent."""
        sender = self.senders[which]
        opening = ["run_start", "schema"] if not sender.made else []
        for kind in [*opening, *kinds]:
            sender.append(kind)
        self.send(sender, count)

    @rule(which=senders)
    def thin(self, which: int) -> None:
        """The spool is full: a frame goes that is not on its way, though it may once have been."""
        sender = self.senders[which]
        for seq, raw in sender.spool.items():
            if seq > sender.sent and isinstance(wire.decode(raw)[0], wire.Frame):
                sender.dispensable.add(seq)
                del sender.spool[seq]
                return

    @rule(which=senders)
    def lose_the_connection(self, which: int) -> None:
        """The next message goes over another one; the server may still hold what it has."""
        self.senders[which].connection = None

    @rule(which=senders, count=st.integers(1, 9))
    def send_again(self, which: int, count: int) -> None:
        sender = self.senders[which]
        if sender.connection and not sender.connection.failed:
            for seq in [seq for seq in sender.spool if seq <= sender.sent][-count:]:
                self.inbox.append((sender.connection, sender.spool[seq]))

    def send(self, sender: Sender, count: int) -> None:
        if sender.connection is None or sender.connection.failed:
            sender.connection, sender.sent = Connection(), sender.acked
        for seq in [seq for seq in sender.spool if seq > sender.sent][:count]:
            self.inbox.append((sender.connection, sender.spool[seq]))
            sender.sent = seq

    @precondition(lambda self: self.inbox)
    @rule(fates=FATES)
    def commit(self, fates: list[str]) -> None:
        """All that waits, in batches; some transactions fail."""
        self.store.fates = fates

        async def whole() -> None:
            writer = Writer(self.committer, Counters(), self.runs.apply)
            for connection, data in self.inbox:
                await writer.submit(connection, data)
            writer.stop()
            await writer.run()

        asyncio.run(whole())
        self.inbox.clear()
        self.store.fates = []
        self.check()

    @rule(which=senders)
    def read(self, which: int) -> None:
        if self.senders[which].connection:
            self.senders[which].read()
            self.check()

    def check(self) -> None:
        """Compare the store with what the trainers know, and its counts with a recount."""
        messages, frames = self.store.stored(tables.messages), self.store.stored(tables.frames)
        for sender, stream in zip(self.senders, STREAMS, strict=True):
            pairs = [*messages.get(stream, ()), *frames.get(stream, ())]
            stored = dict(pairs)
            assert len(stored) == len(pairs)
            assert all(sender.made[seq] == raw for seq, raw in pairs)
            assert sender.refused <= sender.refusable
            # Neither what is acknowledged nor what is stored lies beyond a hole.
            end = max([sender.acked, *stored])
            assert {seq for seq in sender.made if seq <= end} <= stored.keys() | sender.dispensable
        records = self.store.runs()
        assert {run.run: run for run in self.runs.all()} == {run.run: run for run in records}
        for run in records:
            attempts = self.store.attempts(run.run)
            assert run.frames == sum(attempt.frames for attempt in attempts)
            for attempt in attempts:
                stream = Stream(run.run, attempt.attempt, attempt.worker)
                assert attempt.frames == len(frames.get(stream, ()))

    def settle(self) -> None:
        """Once nothing fails any more, everything arrives."""
        for sender in self.senders:
            sender.connection = None
            self.send(sender, len(sender.spool))
        self.commit([])
        messages, frames = self.store.stored(tables.messages), self.store.stored(tables.frames)
        for sender, stream in zip(self.senders, STREAMS, strict=True):
            sender.read()
            stored = dict(messages.get(stream, ())) | dict(frames.get(stream, ()))
            assert sender.spool == {}
            assert sender.made.keys() - stored.keys() <= sender.dispensable


MACHINE = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_every_message_is_stored_once_whatever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small, so that what one sender has waiting is spread over several transactions.
    monkeypatch.setattr(writer_module, "BATCH_MESSAGES", 5)
    run_state_machine_as_test(IngestMachine, settings=MACHINE)


def test_every_message_is_stored_once_in_postgresql_too(
    monkeypatch: pytest.MonkeyPatch, postgresql: Cluster
) -> None:
    monkeypatch.setattr(writer_module, "BATCH_MESSAGES", 5)

    class Machine(IngestMachine):
        def empty_store(self) -> Flaky:
            return FlakyPostgreSQL(self.lasts.enter_context(postgresql.database()))

    run_state_machine_as_test(Machine, settings=settings(MACHINE, max_examples=5))


def test_the_machine_notices_when_a_connection_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Connection, "fail", lambda self, reason: None)
    machine = IngestMachine()
    with machine.lasts:
        machine.start()
        machine.train(which=0, kinds=["frame"], count=9)
        machine.commit(fates=[])
        machine.train(which=0, kinds=["frame"], count=9)
        machine.commit(fates=["undone"])
        machine.train(which=0, kinds=["frame"], count=9)

        with pytest.raises(AssertionError):
            machine.commit(fates=[])
