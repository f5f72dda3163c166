"""The writer: batches what waits, and keeps one sender's trouble from the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gainstage import wire
from gainstage_server import writer as writer_module
from gainstage_server.commit import Committed, Outcome
from gainstage_server.counters import Counters
from gainstage_server.ingest import MAX_REFUSALS, Pace, Session
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Key
from gainstage_server.writer import BATCH_MESSAGES, Writer


class Sender:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.failed = False

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def fail(self, reason: str) -> None:
        self.failed = True


class FakeCommitter:
    """Keeps batches; a message `poison` cannot be stored, and neither what comes with it."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.gate = threading.Event()
        self.gate.set()

    def commit(self, batch: Sequence[bytes]) -> Committed:
        assert self.gate.wait(10)
        if b"poison" in batch:
            raise StoreError("poison")
        if b"fault" in batch:
            raise ZeroDivisionError("a fault of ours")
        self.batches.append(list(batch))
        outcomes = [Key("run", "a", 0, int(data)) for data in batch]
        return Committed(outcomes, (), {}, {})


class Bench:
    """A writer at work."""

    def __init__(self) -> None:
        self.committer = FakeCommitter()
        self.counters = Counters()
        self.published: list[Committed] = []
        self.writer = Writer(self.committer, self.counters, self.published.append)

    def run(self, scenario: Callable[["Bench"], Awaitable[None]]) -> None:
        async def whole() -> None:
            working = asyncio.create_task(self.writer.run())
            await scenario(self)
            self.committer.gate.set()
            self.writer.stop()
            await working

        asyncio.run(whole())


async def submit(bench: Bench, sender: Sender, *messages: bytes) -> None:
    for message in messages:
        await bench.writer.submit(sender, message)


def seqs(sender: Sender) -> list[int]:
    return [outcome.seq for outcome in sender.outcomes]


def test_what_waits_is_committed_together_and_answered_to_whom_it_belongs() -> None:
    bench, one, two = Bench(), Sender(), Sender()

    async def scenario(bench: Bench) -> None:
        await submit(bench, one, b"1", b"2")
        await submit(bench, two, b"3")
        await submit(bench, one, b"4")

    bench.run(scenario)

    assert bench.committer.batches == [[b"1", b"2", b"3", b"4"]]
    assert (seqs(one), seqs(two)) == ([1, 2, 4], [3])
    assert len(bench.published) == 1


def test_a_batch_has_an_end() -> None:
    bench, one = Bench(), Sender()

    async def scenario(bench: Bench) -> None:
        await submit(bench, one, *(b"%d" % index for index in range(BATCH_MESSAGES + 3)))

    bench.run(scenario)

    assert [len(batch) for batch in bench.committer.batches] == [BATCH_MESSAGES, 3]


@pytest.mark.parametrize("bad", [b"poison", b"fault"])
def test_what_cannot_be_stored_fails_its_own_sender_only(bad: bytes) -> None:
    bench, one, two = Bench(), Sender(), Sender()

    async def scenario(bench: Bench) -> None:
        await submit(bench, one, b"1")
        await submit(bench, two, b"2", bad)
        await submit(bench, one, b"3")

    bench.run(scenario)

    assert (one.failed, seqs(one)) == (False, [1, 3])
    assert (two.failed, seqs(two)) == (True, [])
    assert bench.counters.commit_failures == 2


def test_what_follows_a_lost_message_is_not_stored_either() -> None:
    bench, one = Bench(), Sender()

    async def scenario(bench: Bench) -> None:
        bench.committer.gate.clear()
        await submit(bench, one, b"poison")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await submit(bench, one, b"2", b"3")

    bench.run(scenario)

    assert one.failed
    assert bench.committer.batches == []


@pytest.mark.parametrize(("limit", "most"), [("WAITING_BYTES", 10), ("WAITING_MESSAGES", 3)])
def test_above_the_limit_senders_wait_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(writer_module, limit, most)
    bench, one = Bench(), Sender()
    waited: list[bool] = []

    async def scenario(bench: Bench) -> None:
        bench.committer.gate.clear()
        flood = asyncio.create_task(submit(bench, one, *[b"7" * 4] * 20))
        for _ in range(100):
            await asyncio.sleep(0)
        waited.append(not flood.done())
        bench.committer.gate.set()
        await flood

    bench.run(scenario)

    assert waited == [True]
    assert len(seqs(one)) == 20


def test_during_a_pause_nothing_is_committed_and_before_it_everything_is_published() -> None:
    bench, one = Bench(), Sender()
    seen: list[tuple[int, int]] = []

    async def scenario(bench: Bench) -> None:
        bench.committer.gate.clear()
        await submit(bench, one, b"1")
        await asyncio.sleep(0)  # its commit has begun
        asyncio.get_running_loop().call_later(0.05, bench.committer.gate.set)
        async with bench.writer.pause():
            await submit(bench, one, b"2")
            for _ in range(100):
                await asyncio.sleep(0)
            seen.append((len(bench.committer.batches), len(bench.published)))

    bench.run(scenario)

    assert seen == [(1, 1)]
    assert seqs(one) == [1, 2]


def test_after_the_end_nothing_more_is_taken() -> None:
    bench, one = Bench(), Sender()

    async def scenario(bench: Bench) -> None:
        bench.writer.stop()
        await submit(bench, one, b"1")

    bench.run(scenario)

    assert bench.committer.batches == []


def test_acknowledgements_are_merged_and_refusals_come_first() -> None:
    session = Session()
    refused = wire.Refuse(reason="no", seq=2)

    session.answer([Key("r", "a", 0, 1), refused, Key("r", "a", 0, 3), Key("r", "b", 1, 9)])

    assert [wire.decode(data)[0] for data in session.data_to_send()] == [
        refused,
        wire.Ack(run="r", attempt="a", worker=0, seq=3),
        wire.Ack(run="r", attempt="b", worker=1, seq=9),
    ]
    assert session.data_to_send() == []


def test_a_second_s_worth_may_come_at_once_and_then_only_as_much_a_second() -> None:
    pace = Pace(per_second=4)

    at_once = [pace.delay(100.0) for _ in range(6)]
    later = [pace.delay(101.0) for _ in range(3)]
    after_a_rest = pace.delay(200.0)

    assert at_once == [0, 0, 0, 0, 0.25, 0.5]
    assert later == [0, 0, 0.25]
    assert after_a_rest == 0


def test_a_trainer_that_never_reads_its_refusals_overflows() -> None:
    session = Session()
    session.answer([wire.Refuse(reason="no")] * MAX_REFUSALS)
    assert not session.overflowed

    session.answer([wire.Refuse(reason="no")])
    assert session.overflowed
