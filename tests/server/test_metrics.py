"""What Prometheus is shown: as its own parser and promtool read it."""

import dataclasses
import gzip
import math
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed

from gainstage import wire
from gainstage.exposition import LAYERS_SHOWN, RUN_METRICS, Text
from gainstage.figures import FrameFigures, RunFigures
from gainstage.finding import VERDICTS, Finding
from gainstage_server.commit import Committed
from gainstage_server.metrics import shown_runs
from gainstage_server.ops import metrics_page
from gainstage_server.runs import LOST_SHOWN_SECONDS, Runs
from gainstage_server.settings import Settings
from gainstage_server.store.records import Mark, RunRecord
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .trainer import Trainer, send


def samples(server: Running, **labels: str) -> dict[tuple[Any, ...], float]:
    """Sample name -> value, of the samples that have these labels; the others' labels beside."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    found = {}
    for family in families:
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                rest = {k: v for k, v in sample.labels.items() if k not in labels}
                found[(sample.name, *sorted(rest.items()))] = sample.value
    return found


@pytest.fixture
def canonical(server: Running) -> Running:
    trainer = Trainer()
    costs = {"share": 0.004, "budget": 0.01}
    opening = trainer.opening()
    told = {"costs": costs, "thinned": 3, "spooled": 20_480}
    frames = [trainer.loud(10 * index, **told) for index in range(5)]
    assert send(server.ws, [*opening, *frames]) == []
    return server


def test_a_run_is_shown_by_worst_mean_and_counts(canonical: Running) -> None:
    shown = samples(canonical, run="canonical", project="digits")
    received = shown.pop(("gainstage_run_last_frame_timestamp_seconds",))

    assert received == pytest.approx(canonical.service.runs.get("canonical").last_frame)
    assert shown == {
        ("gainstage_run_info", ("status", "live")): 1,
        ("gainstage_run_step",): 40,
        ("gainstage_run_frames_total",): 5,
        ("gainstage_run_thinned_frames",): 3,
        ("gainstage_run_spool_bytes",): 20_480,
        ("gainstage_run_layers", ("verdict", "activity")): 1,
        ("gainstage_run_layers", ("verdict", "healthy")): 2,
        ("gainstage_run_worst_saturation_ratio",): 1,
        ("gainstage_run_mean_saturation_ratio",): pytest.approx(1 / 3),
        ("gainstage_run_worst_excess_decibels",): pytest.approx(40 - 20 * math.log10(5.9864)),
        ("gainstage_run_worst_nonfinite_ratio",): 0,
        ("gainstage_run_overhead_ratio",): pytest.approx(0.004),
        ("gainstage_run_overhead_budget_ratio",): pytest.approx(0.01),
        ("gainstage_run_findings", ("severity", "info")): 0,
        ("gainstage_run_findings", ("severity", "warning")): 1,
        ("gainstage_run_findings", ("severity", "critical")): 0,
        (
            "gainstage_layer_finding",
            ("layer", "dense_1"),
            ("severity", "warning"),
            ("verdict", "activity"),
        ): 1,
        ("gainstage_run_layer_findings_hidden",): 0,
    }


def test_the_server_counts_messages_and_times_commits(canonical: Running) -> None:
    send(canonical.ws, [Trainer().run_start()])
    late = Trainer()
    late.seq = 100
    send(canonical.ws, [b"noise", late.frame(1, schema=55), Trainer().run_start()])

    shown = samples(canonical)

    assert shown[("gainstage_ingest_messages_total", ("result", "stored"))] == 7
    assert shown[("gainstage_ingest_messages_total", ("result", "refused"))] == 2
    assert shown[("gainstage_ingest_messages_total", ("result", "duplicate"))] == 2
    assert shown[("gainstage_ingest_frames_total",)] == 5
    assert shown[("gainstage_ingest_refused_total", ("reason", "rule"))] == 1
    assert shown[("gainstage_ingest_refused_total", ("reason", "unreadable"))] == 1
    assert shown[("gainstage_ingest_refused_total", ("reason", "size"))] == 0
    assert shown[("gainstage_ingest_waiting_messages",)] == 0
    assert shown[("gainstage_runs", ("status", "live"))] == 1
    assert shown[("gainstage_trainers",)] == 0
    assert shown[("gainstage_store_free_bytes",)] > 0
    assert shown[("gainstage_store_bytes",)] > 4096
    assert shown[("gainstage_store_commit_failures_total",)] == 0
    assert shown[("gainstage_store_commit_seconds_count",)] >= 3
    assert shown[("gainstage_store_commit_seconds_bucket", ("le", "+Inf"))] >= 3
    assert shown[("gainstage_viewers",)] == 0


def test_promtool_finds_nothing_to_object_to(
    canonical: Running, program: Callable[..., str]
) -> None:
    promtool = program("promtool")

    def check(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
        )

    text = canonical.get("/metrics").text
    checked = check(text)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert check(text.replace("gainstage_run_frames_total", "gainstage_run_frames")).returncode


def test_scraper_that_reads_openmetrics_gets_the_same_samples_in_it(canonical: Running) -> None:
    accept = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    scraped = canonical.get("/metrics", headers=accept)

    read = list(openmetrics(scraped.text))
    families = {family.name: family for family in read}
    plain = {
        metric.name for metric in text_string_to_metric_families(canonical.get("/metrics").text)
    }

    assert scraped.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert scraped.text.endswith("\n# EOF\n")
    assert {family.name for family in read} == plain
    assert families["gainstage_run_frames"].type == "counter"
    assert families["gainstage_store_free_bytes"].unit == "bytes"
    assert families["gainstage_run_worst_saturation_ratio"].unit == "ratio"


def test_scraper_that_takes_gzip_gets_the_same_text_in_less(canonical: Running) -> None:
    """What changes between two scrapes are the figures of the process itself."""

    def ours(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("gainstage_run")]

    with httpx.stream(
        "GET", f"{canonical.url}/metrics", headers={"accept-encoding": "gzip"}
    ) as scraped:
        packed = b"".join(scraped.iter_raw())
    whole = canonical.get("/metrics", headers={"accept-encoding": "identity"})

    assert scraped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in whole.headers
    assert ours(gzip.decompress(packed).decode()) == ours(whole.text)
    assert len(packed) < len(whole.content) / 2


def test_no_series_says_when_it_was_created(canonical: Running) -> None:
    assert "_created" not in canonical.get("/metrics").text


def test_runs_of_other_projects_can_be_left_out(store: SQLiteStore) -> None:
    runs = live_run(store, [])

    assert [shown.project for shown in shown_runs(runs, 1_000.0, {"p"})] == ["p"]
    assert shown_runs(runs, 1_000.0, {"q"}) == []


def test_an_ended_runs_series_disappear(canonical: Running) -> None:
    trainer = Trainer()
    trainer.seq = 20
    send(canonical.ws, [trainer.run_end(frames=5)])

    assert samples(canonical, run="canonical") == {}


def test_layer_names_are_untrusted_text(server: Running) -> None:
    trainer = Trainer()
    name = 'dense"} 1\ngainstage_viewers 99\\'
    start, schema = trainer.run_start(), trainer.schema_message()
    rows = tuple(msgspec.structs.replace(row, path=name) for row in schema.rows)
    schema = wire.encode(msgspec.structs.replace(schema, rows=rows))
    assert send(server.ws, [start, schema, *(trainer.loud(10 * i) for i in range(3))]) == []

    shown = samples(server, layer=name)

    assert len(shown) == 1
    assert samples(server)[("gainstage_viewers",)] == 0


def live_run(store: SQLiteStore, findings: list[Finding]) -> Runs:
    """The state of a run that was last heard of at 1,000 s."""
    runs = Runs(store, 60.0)
    record = RunRecord(
        run="r",
        project="p",
        tags=(),
        config={},
        environment={},
        started=0.0,
        attempt="a",
        attempt_started=0.0,
        last_seen=1_000.0,
        last_frame=900.0,
    )
    runs.apply(Committed((), (), {"r": record}, {"r": findings}))
    return runs


def finding(index: int, layer: str | None = None) -> Finding:
    return Finding(
        id=str(index),
        row=f"r{index}",
        layer=layer or f"layer{index}",
        verdict="dead",
        severity="info",
        since_step=0,
        last_step=1,
    )


def of_metric(name: str, shown: RunFigures) -> list[Any]:
    (metric,) = (metric for metric in RUN_METRICS if metric.name == name)
    return list(metric.read(shown))


def test_layers_beyond_the_cap_are_counted_instead_of_shown(store: SQLiteStore) -> None:
    runs = live_run(store, [finding(index) for index in range(LAYERS_SHOWN + 7)])
    (shown,) = shown_runs(runs, 1_000.0)

    assert len(of_metric("gainstage_layer_finding", shown)) == LAYERS_SHOWN
    assert of_metric("gainstage_run_layer_findings_hidden", shown) == [((), 7.0)]
    assert of_metric("gainstage_run_findings", shown) == [
        (("info",), 57.0),
        (("warning",), 0.0),
        (("critical",), 0.0),
    ]


def test_the_severest_are_shown_however_late_they_come(store: SQLiteStore) -> None:
    worst = msgspec.structs.replace(finding(99), verdict="nonfinite", severity="critical")
    runs = live_run(store, [*(finding(index) for index in range(LAYERS_SHOWN)), worst])
    (shown,) = shown_runs(runs, 1_000.0)

    (first, _), *_ = of_metric("gainstage_layer_finding", shown)

    assert first == (worst.layer, "nonfinite", "critical")


@pytest.mark.parametrize(("last_frame", "shown"), [(None, 500.0), (400.0, 500.0), (600.0, 600.0)])
def test_an_attempt_without_a_frame_is_as_old_as_its_beginning(
    store: SQLiteStore, last_frame: float | None, shown: float
) -> None:
    runs = live_run(store, [])
    record = runs.get("r")
    assert record is not None
    began = msgspec.structs.replace(record, attempt_started=500.0, last_frame=last_frame)
    runs.apply(Committed((), (), {"r": began}, {}))

    (found,) = shown_runs(runs, 1_000.0)

    assert of_metric("gainstage_run_last_frame_timestamp_seconds", found) == [((), shown)]


def test_a_thousand_runs_with_everything_wrong_have_fewer_than_80_000_series(
    store: SQLiteStore,
) -> None:
    verdicts = tuple(verdict.name for verdict in VERDICTS)
    runs = live_run(store, [finding(index) for index in range(LAYERS_SHOWN + 7)])
    (shown,) = shown_runs(runs, 1_000.0)
    figures = FrameFigures(
        worst_saturation=1.0, mean_saturation=0.5, worst_excess=1.0, worst_nonfinite=0.5
    )
    costs = {"share": 0.1, "budget": 0.1}
    worst = dataclasses.replace(shown, step=1, verdicts=verdicts, of_frame=figures, costs=costs)

    lines = "".join(Text().parts([worst])).splitlines()

    series = sum(not line.startswith("#") for line in lines)
    assert series == metrics_page.most_series()
    assert 1_000 * series < 80_000


def test_findings_of_a_run_are_the_same_object_until_one_opens_closes_or_is_muted(
    store: SQLiteStore,
) -> None:
    runs = live_run(store, [finding(1), finding(2)])
    heard = runs.heard_findings("r")
    record = runs.get("r")
    assert record is not None

    runs.apply(Committed((), (), {"r": record}, {"r": ()}))
    assert runs.heard_findings("r") is heard
    runs.mark(Mark(run="r", finding="1", state="muted", time=0.0))
    assert [found.id for found in runs.heard_findings("r")] == ["2"]
    runs.unmark("r", "1")
    runs.apply(Committed((), (), {"r": record}, {"r": [finding(3)]}))
    assert [found.id for found in runs.heard_findings("r")] == ["1", "2", "3"]
    runs.forget("r")
    assert runs.heard_findings("r") == ()


def test_two_calls_of_one_layer_are_one_series(store: SQLiteStore) -> None:
    runs = live_run(store, [finding(1, "shared"), finding(2, "shared")])
    (shown,) = shown_runs(runs, 1_000.0)

    assert of_metric("gainstage_layer_finding", shown) == [(("shared", "dead", "info"), 1.0)]


@pytest.mark.parametrize(
    ("silent", "statuses"),
    [(0.0, ["live"]), (61.0, ["lost"]), (LOST_SHOWN_SECONDS, ["lost"]), (90_000.0, [])],
)
def test_a_lost_run_is_shown_for_a_day(
    store: SQLiteStore, silent: float, statuses: list[str]
) -> None:
    runs = live_run(store, [])

    assert [shown.status for shown in shown_runs(runs, 1_000.0 + silent)] == statuses


def test_a_failing_store_is_counted(settings: Settings) -> None:
    with running(settings.model_copy(update={"disk_floor": 2**62})) as server:
        with pytest.raises(ConnectionClosed):
            send(server.ws, [Trainer().run_start()])

        assert samples(server)[("gainstage_store_commit_failures_total",)] == 1
