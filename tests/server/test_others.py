"""What a server takes over of what others have stored, and what of it its viewers are told."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gainstage import diagnosis, wire
from gainstage_server.commit import Committed, Committer
from gainstage_server.counters import Counters
from gainstage_server.entrance import Sent
from gainstage_server.hub import Hub
from gainstage_server.others import Others
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store
from gainstage_server.store.postgresql import PostgreSQLTransaction
from gainstage_server.store.records import Change, Key, MessageRecord, Stream
from gainstage_server.writer import Writer

from .test_admission import header
from .trainer import Trainer

STREAM = Stream("canonical", "a1", 0)


@pytest.fixture
def backend() -> str:
    return "postgresql"


@dataclass
class Deaf:
    """What commits in a server that hears nothing of the others."""

    store: Store
    runs: Runs
    committer: Committer

    def commit(self, *messages: bytes) -> Committed:
        committed = self.committer.commit([Sent(message) for message in messages])
        self.runs.apply(committed)
        return committed


@pytest.fixture
def deaf(database: str) -> Iterator[tuple[Deaf, Deaf]]:
    with ExitStack() as lasts:

        def begin() -> Deaf:
            store = store_at(database)
            lasts.callback(store.close)
            store.open()
            runs = Runs(store, 60.0)
            return Deaf(store, runs, Committer(Settings(), store, diagnosis, runs))

        yield begin(), begin()


def test_a_server_that_heard_nothing_counts_and_judges_what_another_has_stored(
    deaf: tuple[Deaf, Deaf],
) -> None:
    one, other = deaf
    trainer = Trainer()
    one.commit(*trainer.opening(), trainer.loud(0))
    other.commit(trainer.loud(10))
    one.commit(trainer.loud(20))
    committed = other.commit(trainer.loud(30))

    assert committed.runs["canonical"].frames == 4
    assert [attempt.frames for attempt in other.store.attempts_among([STREAM])] == [4]
    assert [found.verdict for found in other.runs.open_findings("canonical")] == ["activity"]
    assert [found.verdict for found in one.store.findings("canonical")] == ["activity"]


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What was asked of databases, in order."""
    asked: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    yield asked
    event.remove(Engine, "before_cursor_execute", hear)


def test_runs_that_move_together_are_asked_for_together(
    deaf: tuple[Deaf, Deaf], statements: list[str]
) -> None:
    one, other = deaf
    trainers = [Trainer(run=f"r{place}") for place in range(9)]
    for trainer in trainers:
        one.commit(*trainer.opening(), *(trainer.loud(10 * index) for index in range(3)))
    other.runs.load()

    def moved(trainers: list[Trainer]) -> int:
        statements.clear()
        other.commit(*(trainer.loud(30) for trainer in trainers))
        return len(statements)

    assert moved(trainers[:1]) == moved(trainers[1:])
    assert {len(other.runs.open_findings(trainer.run)) for trainer in trainers} == {1}
    assert {run.frames for run in other.store.runs()} == {4}


@pytest.mark.parametrize("schema", [True, 1.0, "1", -1, 2**63, 2])
def test_frame_of_a_schema_that_cannot_be_read_fails_no_other(
    deaf: tuple[Deaf, Deaf], schema: object
) -> None:
    one, other = deaf
    trainer = Trainer()
    one.commit(*trainer.opening())
    later = MessageRecord(*STREAM, 2, "schema", 0.0, header(wire.Refuse(reason=""), type="layers"))
    with one.store.write() as transaction:
        transaction.hold({"canonical": None})
        transaction.add([later], [])  # of a later release
    other.runs.load()
    trainer.seq = 2

    bad, good = other.commit(trainer.frame(10, schema=schema), trainer.frame(20)).outcomes

    assert isinstance(bad, wire.Refuse)
    assert good == Key(*STREAM, 4)


def test_a_server_that_did_not_hear_of_a_deletion_stores_nothing_of_the_run(
    deaf: tuple[Deaf, Deaf],
) -> None:
    one, other = deaf
    trainer = Trainer()
    other.commit(*trainer.opening(), trainer.frame(0))
    one.committer.delete("canonical")

    (outcome,) = other.commit(trainer.frame(10)).outcomes

    assert isinstance(outcome, wire.Refuse)
    assert list(one.store.frames_after(STREAM, -1)) == []
    assert (one.store.runs(), other.runs.all()) == ([], [])


def following(server: Deaf, publish: Callable[..., object]) -> Others:
    writer = Writer(server.committer, Counters(), lambda _: None)
    return Others(server.store, server.runs, Hub(), server.committer, writer, publish)


def test_findings_are_read_where_they_may_have_changed(
    deaf: tuple[Deaf, Deaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = deaf
    trainer, told = Trainer(), list[Change]()
    others = following(other, lambda *_: None)
    monkeypatch.setattr(PostgreSQLTransaction, "tell", lambda _, changes: told.extend(changes))
    asked = list[Collection[str]]()
    findings_among = other.store.findings_among
    monkeypatch.setattr(
        other.store, "findings_among", lambda runs: asked.append([*runs]) or findings_among(runs)
    )

    for frame in (trainer.opening(), *([trainer.loud(10 * index)] for index in range(5))):
        one.commit(*frame)
        asyncio.run(others._take_over(others._read(told, missed=False)))
        told.clear()

    assert asked == [["canonical"]]
    assert other.runs.get("canonical") == one.runs.get("canonical")
    assert other.runs.open_findings("canonical") == one.runs.open_findings("canonical") != []


def test_finding_whose_change_was_not_heard_is_found_when_the_gap_is_noticed(
    deaf: tuple[Deaf, Deaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = deaf
    trainer, told = Trainer(), list[Change]()
    others = following(other, lambda *_: None)
    one.commit(*trainer.opening(), trainer.loud(0))
    asyncio.run(others._take_over(others._read([], missed=True)))
    monkeypatch.setattr(PostgreSQLTransaction, "tell", lambda _, changes: told.extend(changes))
    one.commit(trainer.loud(10))
    heard = [*told]
    one.commit(trainer.loud(20))  # opens the finding, and is not heard

    for changes, missed in ((heard, False), ([], True)):
        asyncio.run(others._take_over(others._read(changes, missed=missed)))

    assert other.runs.open_findings("canonical") == one.runs.open_findings("canonical") != []


def test_viewers_are_told_what_this_server_learnt_while_it_stored(
    deaf: tuple[Deaf, Deaf],
) -> None:
    one, other = deaf
    trainer, told = Trainer(), list[Any]()
    others = following(other, lambda _, news: told.extend(news))
    one.commit(*trainer.opening(), *(trainer.loud(10 * index) for index in range(3)))
    asyncio.run(others._take_over(others._read([], missed=True)))
    one.commit(*(trainer.quiet(30 + 10 * index) for index in range(12)))
    assert other.runs.open_findings("canonical") != []
    told.clear()

    other.commit(trainer.quiet(200))
    assert other.runs.open_findings("canonical") == []
    for heard, missed in (([Change("canonical")], False), ([], True)):
        asyncio.run(others._take_over(others._read(heard, missed=missed)))

    assert [(news.finding.layer, news.finding.open) for news in told] == [("dense_1", False)]


def test_what_this_server_has_changed_since_it_read_is_read_again(
    deaf: tuple[Deaf, Deaf],
) -> None:
    one, other = deaf
    trainer = Trainer()
    one.commit(*trainer.opening(), trainer.frame(0))
    published: list[tuple[list[Any], list[Any]]] = []
    others = following(other, lambda *told: published.append(tuple(map(list, told))))
    read = others._read([Change("canonical")], missed=False)
    other.commit(trainer.frame(10))

    asyncio.run(others._take_over(read))

    assert other.runs.get("canonical").frames == 2
    # The finding of the first frame, which came with a commit, and nothing of what is held already.
    news = [news.finding for news in published[1][1]]
    assert news == other.runs.open_findings("canonical")
    assert [published[0], published[1][0]] == [([], []), []]
    assert other.commit(trainer.frame(20)).runs["canonical"].frames == 3
