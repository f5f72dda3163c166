"""The disk of the spool or of the store is full, or the spool is; then room is made."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.monitor.serving import nowhere

from . import disk
from .conftest import Planning
from .journal import exactly_once, frames_in, read
from .processes import Server, sync, trainer, wait_until
from .proxy import Proxy

SIZE = 32 * 2**20
# Little enough to be full at once, and a few messages more than nothing.
LEFT = 2**18


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with disk.mounted(tmp_path / "small", SIZE) as folder:
        yield folder


def test_training_goes_on_where_its_spool_cannot_grow_and_what_it_dropped_is_counted(
    planned: Planning, killable: Server, small: Path
) -> None:
    plan = planned(killable.url, folder=small / "spool", frames=200, gap=0.02, layers=20)
    disk.fill(small, leave=LEFT)
    with trainer(plan) as training:
        wait_until(lambda: disk.free(small) < LEFT / 8)
        full_at = len(read(plan.journal).appended)
        wait_until(lambda: len(read(plan.journal).appended) > full_at + 20)
        disk.make_room(small)
        training.succeeds()
    killable.start()
    sync(plan.folder, killable.url)

    account = exactly_once(plan.journal, killable.database, thinned=True)
    assert account.frames == plan.frames
    assert 20 <= account.thinned < plan.frames - 40


def test_store_that_cannot_grow_takes_nothing_and_says_so_and_takes_all_once_it_can(
    planned: Planning, small: Path
) -> None:
    with Server(small / "server") as server:
        server.start()
        disk.fill(small, leave=LEFT)
        plan = planned(server.url, frames=60, layers=20)
        with trainer(plan) as training:
            wait_until(lambda: len(read(plan.journal).appended) > plan.frames)
            wait_until(lambda: "disk is full" in server.process.said())
            held = frames_in(server.database)
            disk.make_room(small)
            training.succeeds()

        assert held < plan.frames
        assert exactly_once(plan.journal, server.database).frames == plan.frames


def test_floor_of_the_disk_is_kept_free_and_all_arrives_once_it_is(
    planned: Planning, small: Path
) -> None:
    with Server(small / "server", disk_floor=str(SIZE // 2)) as server:
        server.start()
        disk.fill(small, leave=SIZE // 4)
        plan = planned(server.url)
        with trainer(plan) as training:
            wait_until(lambda: "are to stay free" in server.process.said())
            ready = httpx.get(f"{server.url}/readyz").status_code
            held = frames_in(server.database)
            disk.make_room(small)
            training.succeeds()

        assert (ready, held) == (503, 0)
        assert exactly_once(plan.journal, server.database).frames == plan.frames


def test_spool_that_is_full_is_thinned_evenly_and_the_run_says_by_how_much(
    planned: Planning, lasting: Server
) -> None:
    with nowhere() as url:
        plan = planned(url, frames=120, layers=20, spool_bytes=2**20)
        with trainer(plan) as training:
            training.succeeds()
    sync(plan.folder, lasting.url)

    account = exactly_once(plan.journal, lasting.database, thinned=True)
    assert account.frames == plan.frames
    shown = httpx.get(f"{lasting.url}/api/v1/runs/run").json()
    assert shown["frames"] == account.frames - account.thinned


def test_frames_that_were_dropped_on_their_way_and_came_do_not_count_as_thinned(
    planned: Planning, server: Server, proxy: Proxy
) -> None:
    plan = planned(proxy.url, frames=200, layers=20, spool_bytes=2**20)
    with trainer(plan) as training:
        server.holds_frames(5)
        proxy.hold()
        wait_until(lambda: len(read(plan.journal).appended) > plan.frames)
        proxy.mend()
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database, thinned=True).frames == plan.frames
