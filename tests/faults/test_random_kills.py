"""Trainers and servers are killed at any time, again and again; the seed is in the test's name."""

import random
import time
from contextlib import ExitStack

import pytest

from .conftest import Planning
from .journal import exactly_once
from .processes import Server, sync, trainer

KILLS = 20


@pytest.mark.parametrize("seed", [6])
def test_nothing_is_lost_to_kills_at_any_time(seed: int, planned: Planning, server: Server) -> None:
    rng = random.Random(seed)
    plan = planned(server.url, frames=10_000, gap=0.001)
    with ExitStack() as stack:
        training = stack.enter_context(trainer(plan))
        for _ in range(KILLS):
            training.wait_for("ready")
            time.sleep(rng.uniform(0.0, 0.3))
            if rng.random() < 0.3:
                server.process.kill()
                server.start()
            else:
                training.kill()
                training = stack.enter_context(trainer(plan))
        training.kill()
    sync(plan.folder, server.url)

    assert exactly_once(plan.journal, server.database).frames > KILLS
