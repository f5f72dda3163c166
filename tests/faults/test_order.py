"""Messages come more than once and in any order: each is stored once, and all are diagnosed."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.monitor.serving import nowhere
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage.recorder import Recorder, RunIdentity
from gainstage.spool import Spool

from . import drawn, journal, processes
from .processes import Server

OPENING = 2  # run_start and schema: what frames build on


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Those of a whole run, as they wait in its spool; they are journaled."""
    monkeypatch.setattr(Spool, "append", Spool.append)
    journal.keep(tmp_path / "journal")
    with nowhere() as url:
        made = Recorder(RunIdentity("run", "p", (), {}), {}, url=url, token=None, folder=tmp_path)
        for step in range(40):
            sample = drawn.sample(3, seed=step)
            made.record(sample, drawn.TRAINING, step=step, epoch=0, logs={}, costs={})
        made.close("completed", 0.0)
    (path,) = tmp_path.glob("*.spool")
    spool = Spool(path)
    yield [body for _, body in spool.after(-1, 1_000)]
    spool.close()


def everything_acknowledged(connection: ClientConnection, last: int) -> None:
    while True:
        answer, _ = wire.decode(connection.recv(timeout=processes.PATIENCE))
        assert isinstance(answer, wire.Ack), answer
        if answer.seq == last:
            return


@pytest.mark.parametrize("seed", range(3))
def test_messages_that_are_repeated_and_reordered_on_two_connections(
    seed: int, messages: list[bytes], server: Server, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    opening, rest = messages[:OPENING], messages[OPENING:-1]
    with ExitStack() as stack:
        pair = [stack.enter_context(connect(server.ingest, compression=None)) for _ in range(2)]
        for message in opening:
            pair[0].send(message)
        everything_acknowledged(pair[0], OPENING - 1)
        sent = rng.sample(rest, len(rest)) + rng.sample(rest, len(rest) // 2) + opening
        for message in sent:
            rng.choice(pair).send(message)
        for connection in pair:
            connection.send(messages[-1])
            everything_acknowledged(connection, len(messages) - 1)

    assert journal.exactly_once(tmp_path / "journal", server.database).frames == 40
