"""The connection fails in every way that a network has; the trainer knows, and nothing is lost."""

import time

import pytest

from .conftest import Planning
from .journal import exactly_once, waiting_in
from .processes import Server, paused, sync, trainer, wait_until
from .proxy import Proxy


def test_connection_that_is_cut_again_and_again(
    planned: Planning, server: Server, proxy: Proxy
) -> None:
    plan = planned(proxy.url, frames=60)
    with trainer(plan) as training:
        for least in (5, 20, 35):
            server.holds_frames(least)
            proxy.cut()
            time.sleep(0.1)
            proxy.mend()
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames == plan.frames
    assert proxy.connections > 3


def test_half_open_connection_is_noticed_and_what_it_held_back_is_not_stored_again(
    planned: Planning, server: Server, proxy: Proxy
) -> None:
    plan = planned(proxy.url, frames=60)
    with trainer(plan) as training:
        server.holds_frames(5)
        proxy.hold()
        before = proxy.connections
        wait_until(lambda: proxy.connections > before)
        proxy.mend()  # the first connection's messages come, late, beside the second's
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames == plan.frames


@pytest.mark.parametrize(("delay", "rate"), [(0.1, None), (0.0, 30_000.0)])
def test_slow_connection(
    delay: float, rate: float | None, planned: Planning, server: Server, proxy: Proxy
) -> None:
    proxy.delay, proxy.rate = delay, rate
    plan = planned(proxy.url, frames=30)

    with trainer(plan) as training:
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames == plan.frames


def test_message_that_takes_longer_than_any_time_out_arrives(
    planned: Planning, server: Server, proxy: Proxy
) -> None:
    """The schema alone takes 6 s of a connection on which nobody waits 3 s for anything."""
    proxy.rate = 75_000.0
    plan = planned(proxy.url, frames=2, layers=1_500)

    with trainer(plan) as training:
        training.succeeds()

    assert waiting_in(plan.folder) == 0
    assert exactly_once(plan.journal, server.database).frames == plan.frames


def test_server_that_is_paused_for_longer_than_the_trainer_waits(
    planned: Planning, server: Server, proxy: Proxy
) -> None:
    plan = planned(proxy.url, frames=60)
    with trainer(plan) as training:
        server.holds_frames(5)
        before = proxy.connections
        with paused(server.process):
            wait_until(lambda: proxy.connections > before)
        training.succeeds()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames == plan.frames
