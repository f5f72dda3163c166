"""The benchmark of the dashboard in its short form, and that what it looks for can be found."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from benchmarks import dashboard
from benchmarks.dashboard import claims, command, memory, tensorboard, trace
from benchmarks.network import Network

from gainstage import wire
from gainstage.diagnosis import advance, begin
from gainstage_server.dashboard import STATIC

MAIN, WORKER = 1, 2


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def numbers(found: Any) -> list[float]:
    """All that are in `found`, however deep."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        return [number for one in found for number in numbers(one)]
    return [found] if isinstance(found, int | float) else []


def test_dashboard_that_was_not_built_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "STATIC", tmp_path)

    with pytest.raises(SystemExit):
        dashboard.main(["--short"])

    assert "make dashboard" in capsys.readouterr().err


@pytest.mark.usefixtures("chromium")
def test_dashboard_is_measured_in_a_real_browser(capsys: pytest.CaptureFixture[str]) -> None:
    if not (STATIC / "index.html").is_file():
        pytest.skip("needs the dashboard, which `make dashboard` builds")

    dashboard.main(["--short", "--json"])

    found = printed(capsys)
    assert found["machine"]["chromium"].startswith("Chrom")
    assert found["machine"]["rendering"] == "rendering by software"
    assert (found["layers"], found["frames"], found["statistics"]) == (50, 20, 58)
    assert all(math.isfinite(number) for number in numbers(found))
    opening = found["opening"]
    waits = [opening[name]["median_s"] for name in ("values", "answered", "interactive")]
    assert 0 < waits[0] < waits[1] <= waits[2] < 60
    assert 0 < opening["heatmap"]["median_s"] < 60
    assert 0 < opening["curve"]["median_s"] < 60
    assert opening["scripts"]
    assert 0 < found["size"]["loaded_kb"] <= found["size"]["all_kb"]
    views = found["live"]["views"]
    assert len(views) == 5
    for work in views.values():
        assert work["frames"] > 3
        assert 0 < work["median_ms"] <= work["p95_ms"]
        assert 0 < work["longest_ms"] < 10_000
        assert work["parts_ms"]["scripts"] > 0
    assert views["console, read"]["drawn"] > 0
    assert 0 < found["live"]["rates"]["taken"] < 30
    assert found["live"]["memory"]["heap"]["last_mib"] > 1
    assert found["live"]["memory"]["process"]["last_mib"] > 10
    assert found["tensorboard"] is None
    assert len(found["claims"]) == 2 * len(views) + 4


def task(begin: int, length: int, **more: Any) -> dict[str, Any]:
    return event("RunTask", begin, length, **more)


def event(name: str, begin: int, length: int = 0, **more: Any) -> dict[str, Any]:
    timed = {"ph": "X", "dur": length} if length else {"ph": "I"}
    return {"name": name, "pid": MAIN, "tid": MAIN, "ts": begin, **timed, **more}


def named(thread: int, name: str) -> dict[str, Any]:
    return event("thread_name", 0, ph="M", tid=thread, args={"name": name})


# Three frames of the feed, the last of which only ends the second one.
EVENTS = [
    named(MAIN, "CrRendererMain"),
    named(WORKER, "DedicatedWorker thread"),
    task(0, 900_000),  # before the first one came
    task(1_000_000, 2_000),
    event("WebSocketReceive", 1_000_500),
    event("WebSocketReceive", 1_001_000),  # what was found in that frame
    task(1_010_000, 6_000),
    event("FireAnimationFrame", 1_010_000, 5_000),
    event("Layout", 1_011_000, 1_000),
    event("InvalidateLayout", 1_011_500, 500),
    task(1_011_600, 100),  # within the one before
    task(1_017_000, 3_000),
    event("Commit", 1_018_000, 1_000),
    task(1_020_000, 80_000, tid=WORKER),
    task(1_020_000, 80_000, pid=3),
    task(1_100_000, 60_000, tdur=20_000),
    event("WebSocketReceive", 1_100_500),
    event("MinorGC", 1_101_000, 4_000),
    task(1_200_000, 70_000),
    event("WebSocketReceive", 1_200_500),
]


def test_work_of_a_frame_is_all_that_the_main_thread_does_until_the_next_one() -> None:
    work = trace.measure(EVENTS, MAIN)

    assert work.frames == 3
    assert work.median_ms == pytest.approx((11 + 60) / 2)
    assert work.p95_ms == pytest.approx(11 + 0.95 * (60 - 11))
    assert work.cpu_p95_ms == pytest.approx(11 + 0.95 * (20 - 11))
    assert (work.longest_ms, work.long) == (60, 1)
    assert work.drawn == 1
    assert work.seconds == pytest.approx(0.2)


def test_work_is_told_apart_by_what_it_was() -> None:
    found = trace.measure(EVENTS, MAIN).parts_ms

    assert found == {
        "scripts": pytest.approx(4 / 2),
        "garbage": pytest.approx(4 / 2),
        "style": 0,
        "layout": pytest.approx(1 / 2),
        "paint": pytest.approx(1 / 2),
        "rest": pytest.approx((2 + 1 + 2 + 16) / 2),
    }


def test_page_that_receives_nothing_is_no_page_without_work() -> None:
    silent = [event for event in EVENTS if event["name"] != "WebSocketReceive"]

    with pytest.raises(RuntimeError, match="received nothing"):
        trace.measure(silent, MAIN)


def test_memory_that_grows_is_found_out() -> None:
    minutes = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]

    # It rises at first, by as much, and then stays.
    settled = memory.Line.of(minutes, [60, 70, 80, 80, 80, 80, 80, 80, 80, 80])
    growing = memory.Line.of(minutes, [60, 62, 64, 66, 68, 70, 72, 74, 76, 78])

    assert settled.slope == pytest.approx(0)
    assert growing.slope == pytest.approx(2)
    assert growing.growth == pytest.approx(14 / 71)
    assert settled.growth < memory.GROWTH < growing.growth


def test_network_is_the_same_at_each_call_and_moves_from_frame_to_frame() -> None:
    network = Network("r", 20)

    (now, again, later) = (network.values(frame)["pre_db"] for frame in (7, 7, 8))

    assert now.tolist() == again.tolist()
    assert (now != later).all()


def test_layers_of_the_network_run_over_and_one_of_them_comes_back() -> None:
    network = Network("r", 400)
    schema, _ = wire.decode(network.opening()[1])
    assert isinstance(schema, wire.Schema)
    state = begin(schema)
    events = []
    for frame in range(450):
        message, blocks = wire.decode(network.message(frame))
        assert isinstance(message, wire.Frame)
        assert {name: block.shape for name, block in blocks.items()} == {
            "layers": (400, 55),
            "gradients": (400, 3),
        }
        state, changed = advance(state, message, blocks)
        events += changed

    opened = [finding.layer for finding in events if finding.open]
    closed = [finding.layer for finding in events if not finding.open]
    paths = [network.path(int(layer)) for layer in network.troubles()]
    assert opened == paths
    assert closed == [paths[3]]
    assert set(state.verdicts) == {"healthy", "activity"}


def test_missing_tensorboard_is_said_by_the_name_of_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorboard, "NEEDS", ("no_such_package",))

    assert tensorboard.missing() == ["no_such_package"]


def test_claims_hold_below_their_limits_and_not_at_them() -> None:
    below, at = (claims._verdict("c", "a", figure, 8.0) for figure in (7.9, 8.0))
    brief = claims._verdict("c", "a", 7.9, 8.0, enough=False)

    assert [one.outcome for one in (below, at, brief)] == ["holds", "does not hold", "too short"]


def test_browser_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(RuntimeError, match="chromium-browser"):
        command.main(["--short"])
