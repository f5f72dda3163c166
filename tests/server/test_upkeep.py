"""What is done beside the storing: a little at a time, until the server ends."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from gainstage_server.compaction import upkeep
from gainstage_server.compaction.upkeep import Upkeep
from gainstage_server.settings import Settings
from gainstage_server.store.records import Stream

from .conftest import running
from .trainer import Trainer, send, wait_until


class Worker:
    """Works `steps` times; the step number `fails` fails."""

    def __init__(self, steps: int, fails: int = -1) -> None:
        self.left, self.fails, self.calls = steps, fails, 0
        self.threads: set[int] = set()

    def step(self) -> bool:
        self.threads.add(threading.get_ident())
        self.calls += 1
        if self.calls == self.fails:
            raise OSError("No room.")
        self.left -= 1
        return self.left >= 0


def run(worker: Worker, calls: int, busy: Callable[[], bool] = lambda: False) -> None:
    async def until_called() -> None:
        at_work = Upkeep(worker, busy)
        at_work.start()
        async with asyncio.timeout(10):
            while worker.calls < calls:
                await asyncio.sleep(0.001)
        await at_work.stop()

    asyncio.run(until_called())


def test_works_in_another_thread_until_nothing_is_left_then_waits() -> None:
    worker = Worker(5)

    run(worker, 6)

    assert (worker.left, worker.calls) == (-1, 6)
    assert threading.get_ident() not in worker.threads


def test_nothing_is_done_while_what_enters_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BUSY_SECONDS", 0.0)
    worker, asked = Worker(5), 0

    def busy() -> bool:
        nonlocal asked
        asked += 1
        assert worker.calls == 0 or asked > 100
        return asked <= 100

    run(worker, 5, busy)

    assert asked > 100


def test_failure_is_told_and_the_step_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "IDLE_SECONDS", 0.0)
    worker = Worker(5, fails=2)

    run(worker, 8)

    assert [record.message.split(";")[0] for record in caplog.records] == [
        "The store could not be put in order"
    ]


def test_run_that_ended_is_compacted_by_the_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "IDLE_SECONDS", 0.01)
    trainer = Trainer()
    opening = trainer.opening()
    frames = [trainer.frame(step, step) for step in range(20)]
    with running(settings) as server:
        store = server.service.store
        send(server.ws, [*opening, *frames, trainer.run_end()])
        wait_until(lambda: [one.frames for one in store.backlogs(quiet_since=0.0)] == [1])

        shown = server.get("/api/v1/runs/canonical/series?layer=dense_0&statistic=pre_db").json()
        stored = [frame.raw for frame in store.frames_after(Stream("canonical", "a1", 0), -1)]

    assert shown["series"]["pre_db"]["last"] == list(range(20))
    assert stored == frames
