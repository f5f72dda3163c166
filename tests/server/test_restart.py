"""A second server over the same store goes on as if nothing had happened."""

from typing import Any

import pytest
from websockets.sync.client import connect

from gainstage_server.settings import Settings

from .conftest import BACKENDS, Running, running
from .trainer import Trainer, read, send, subscribe

PATHS = (
    "",
    "/layers",
    "/findings",
    "/series?layer=dense_1&statistic=pre_db",
    "/heatmap?statistic=pre_db",
    "/logs",
)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def answers(server: Running) -> dict[str, Any]:
    shown = {path: server.get(f"/api/v1/runs/canonical{path}").json() for path in PATHS}
    for one in (shown[""], *shown[""]["workers"]):
        del one["last_seen"]  # goes on while the trainer is connected
    return shown


def test_everything_shown_is_the_same_after_a_restart(settings: Settings) -> None:
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.loud(10 * index) for index in range(4))]
    with running(settings) as first:
        send(first.ws, [*messages, trainer.notice()])
        before = answers(first)

    with running(settings) as second:
        after = answers(second)

    assert after == before
    assert [found["verdict"] for found in after["/findings"]["findings"]] == ["activity"]


def test_the_diagnosis_goes_on_across_a_restart(settings: Settings) -> None:
    trainer = Trainer()
    with running(settings) as first:
        send(first.ws, [*trainer.opening(), trainer.loud(0), trainer.loud(10)])
        assert first.get("/api/v1/runs/canonical").json()["findings_open"] == 0

    with running(settings) as second:
        send(second.ws, [trainer.loud(20)])
        run = second.get("/api/v1/runs/canonical").json()

    assert run["findings_open"] == 1
    assert run["verdicts"] == {"healthy": 2, "activity": 1}


def test_a_viewer_who_comes_after_a_restart_sees_the_newest_frame(settings: Settings) -> None:
    trainer = Trainer()
    with running(settings) as first:
        send(first.ws, [*trainer.opening(), trainer.loud(0), trainer.loud(10), trainer.loud(20)])

    with running(settings) as second, connect(f"{second.ws}/api/v1/live") as viewer:
        subscribe(viewer, "canonical")
        schema, frame, finding = (read(viewer.recv(timeout=10)) for _ in range(3))

    assert (schema.seq, frame.step, finding.finding.verdict) == (1, 20, "activity")
