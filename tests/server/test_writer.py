"""The writer: batches what waits, and keeps one sender's trouble from the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gainstage import wire
from gainstage_server import writer as writer_module
from gainstage_server.commit import Committed
from gainstage_server.counters import Counters
from gainstage_server.entrance import Outcome, Sent
from gainstage_server.ingest import MAX_REFUSALS, Pace, Session
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Key
from gainstage_server.writer import BATCH_MESSAGES, Writer


class Sender:
    """Remembers what it is told."""

    behind = 0.0
    project = None

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

    def commit(self, batch: Sequence[Sent]) -> Committed:
        assert self.gate.wait(10)
        messages = [sent.data for sent in batch]
        if b"poison" in messages:
            raise StoreError("poison")
        if b"fault" in messages:
            raise ZeroDivisionError("a fault of ours")
        self.batches.append(messages)
        outcomes = [Key("run", "a", 0, int(data)) for data in messages]
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

    assert bench.committer.batches == [[b"1", b"3", b"2", b"4"]]
    assert (seqs(one), seqs(two)) == ([1, 2, 4], [3])
    assert len(bench.published) == 1


def test_what_comes_soon_after_a_few_is_committed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "REST_SECONDS", 1.0)
    bench, one = Bench(), Sender()

    async def scenario(bench: Bench) -> None:
        bench.committer.gate.clear()
        await submit(bench, one, b"1")
        asyncio.get_running_loop().call_later(0.3, bench.committer.gate.set)
        while not bench.published:
            await asyncio.sleep(0.01)
        for message in (b"2", b"3"):
            await submit(bench, one, message)
            await asyncio.sleep(0.01)

    bench.run(scenario)

    assert bench.committer.batches == [[b"1"], [b"2", b"3"]]


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


def flooded_before(bench: Bench, last: bytes) -> int:
    """How many messages `7` were committed before the last message `last`."""
    order = [data for batch in bench.committer.batches for data in batch]
    return order[: len(order) - order[::-1].index(last)].count(b"7")


def test_who_sends_little_does_not_wait_for_all_that_a_fast_sender_has_waiting() -> None:
    bench, fast, slow = Bench(), Sender(), Sender()

    async def scenario(bench: Bench) -> None:
        await submit(bench, fast, *[b"7"] * 2_000)
        await submit(bench, slow, b"1", b"2", b"3")

    bench.run(scenario)

    assert flooded_before(bench, b"3") == 3
    assert (len(seqs(fast)), seqs(slow)) == (2_000, [1, 2, 3])


def test_one_fast_sender_does_not_starve_200_others_of_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = 50
    monkeypatch.setattr(writer_module, "WAITING_MESSAGES", inbox)
    bench, fast = Bench(), Sender()
    others = [Sender() for _ in range(200)]

    async def scenario(bench: Bench) -> None:
        bench.committer.gate.clear()
        flood = asyncio.create_task(submit(bench, fast, *[b"7"] * 4_000))
        await asyncio.sleep(0.01)  # the inbox is full of the flood
        rest = [asyncio.create_task(submit(bench, one, *[b"1"] * 5)) for one in others]
        await asyncio.sleep(0.01)  # all others stand at the door
        bench.committer.gate.set()
        await asyncio.gather(flood, *rest)

    bench.run(scenario)

    # The first batch, what waited behind it, and then one in each turn of 201.
    assert flooded_before(bench, b"1") <= 2 * inbox + 10
    assert [len(seqs(one)) for one in others] == [5] * 200


def test_the_inbox_never_holds_more_than_its_limit_however_many_wait_at_the_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "WAITING_MESSAGES", 8)
    bench = Bench()

    async def scenario(bench: Bench) -> None:
        await asyncio.gather(*(submit(bench, Sender(), *[b"7"] * 3) for _ in range(100)))

    bench.run(scenario)

    assert max(map(len, bench.committer.batches)) <= 8
    assert sum(map(len, bench.committer.batches)) == 300


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
