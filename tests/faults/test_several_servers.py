"""Two servers over one PostgreSQL behind a balancer, one of which is killed again and again."""

import threading
from contextlib import ExitStack
from pathlib import Path

import msgspec
from tests.postgresql import cluster
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.store import store_at
from gainstage_server.store.records import Stream

from .conftest import Planning
from .journal import exactly_once, read
from .processes import Server, sync, trainer
from .proxy import Proxy

KILLS = 3
TRAINERS = 4
FRAMES = 100


class Viewer:
    """Looks at a run on one server, and keeps which of its frames it was shown."""

    def __init__(self, server: Server, run: str) -> None:
        self.seen: set[int] = set()
        self.skipped = 0
        self._address = f"ws://127.0.0.1:{server.port}/api/v1/live"
        self._wanted = msgspec.json.encode({"type": "subscribe", "run": run}).decode()
        self._looking = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        assert self._looking.wait(60)

    def _look(self) -> None:
        with connect(self._address) as socket:
            socket.send(self._wanted)
            for data in socket:
                message = wire.decode(data)[0]
                if isinstance(message, wire.Subscribed):
                    self._looking.set()
                elif isinstance(message, wire.Frame):
                    self.seen.add(message.seq)
                elif isinstance(message, wire.Skipped):
                    self.skipped += message.frames
                elif isinstance(message, wire.RunEnd):
                    return

    def join(self) -> None:
        """Return when the run has ended."""
        self._thread.join(60)
        assert not self._thread.is_alive()


def copied(url: str, path: Path) -> Path:
    """What a PostgreSQL holds of trainers as a file, as which the harness reads a store."""
    source, target = store_at(url), store_at(str(path))
    target.open()
    with target.write() as transaction:
        for run in source.runs():
            attempts = source.attempts(run.run)
            transaction.put_runs([run])
            transaction.put_attempts(attempts)
            for one in attempts:
                stream = Stream(one.run, one.attempt, one.worker)
                frames = list(source.frames_after(stream, -1))
                transaction.add(source.messages_of(stream), frames)
    source.close()
    target.close()
    return path


def test_all_is_stored_once_and_shown_while_one_of_two_servers_is_killed_again_and_again(
    planned: Planning, tmp_path: Path
) -> None:
    with ExitStack() as lasts:
        url = lasts.enter_context(lasts.enter_context(cluster()).database())
        one, other = (
            lasts.enter_context(Server(tmp_path / name, database=url)) for name in ("one", "other")
        )
        one.start()
        other.start()
        balancer = lasts.enter_context(Proxy(one.port, other.port))
        viewer = Viewer(other, "run0")
        plans = [
            planned(balancer.url, run=f"run{index}", frames=FRAMES, gap=0.05)
            for index in range(TRAINERS)
        ]
        trainers = [lasts.enter_context(trainer(plan)) for plan in plans]
        for training in trainers:
            training.wait_for("ready")

        for _ in range(KILLS):
            one.process.kill()
            one.start()
        for training in trainers:
            training.succeeds()
        sync(plans[0].folder, balancer.url)

        viewer.join()
        account = exactly_once(plans[0].journal, copied(url, tmp_path / "copy.db"))

    appended = read(plans[0].journal, "run0").appended
    frames = {seq for (*_, seq), content in appended.items() if content.type == "frame"}
    assert account.frames == TRAINERS * FRAMES
    assert viewer.seen <= frames
    assert len(viewer.seen) + viewer.skipped >= len(frames) == FRAMES
    assert max(frames) in viewer.seen
