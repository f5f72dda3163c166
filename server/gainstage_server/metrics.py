"""What Prometheus is shown: read from the live state at the moment of the scrape."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gainstage.finding import Finding
from gainstage_server.counters import Histogram
from gainstage_server.runs import Runs
from gainstage_server.service import Service, service_of
from gainstage_server.store.records import RunRecord

router = APIRouter()

# A series for each layer of each run would drown Prometheus; the others are counted.
LAYERS_SHOWN = 50
# A lost run is shown for as long as someone may want to be told about it.
LOST_SHOWN_SECONDS = 24 * 3600.0

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Shown:
    """A run as it is at the time of the scrape."""

    record: RunRecord
    status: str
    findings: tuple[Finding, ...]  # open ones


@dataclass(frozen=True)
class RunMetric:
    """A metric of every run: `samples` gives label values and a value each."""

    name: str
    help: str
    samples: Callable[[Shown], Samples]
    labels: tuple[str, ...] = ()
    family: type[GaugeMetricFamily] | type[CounterMetricFamily] = GaugeMetricFamily


def _one(value: float | None) -> Samples:
    return () if value is None else (((), float(value)),)


def _counted(labels: Iterable[tuple[str, ...]]) -> Samples:
    return [(values, float(count)) for values, count in Counter(labels).items()]


def _layers_with_findings(shown: Shown) -> list[tuple[str, str, str]]:
    """Layer, verdict and severity, each once: several calls of a layer share its path."""
    found = [(finding.layer, finding.verdict, finding.severity) for finding in shown.findings]
    return list(dict.fromkeys(found))


RUN_METRICS = (
    RunMetric(
        "gainstage_run_info",
        "A run that has not ended; its status is live or lost.",
        lambda shown: [((shown.status,), 1.0)],
        labels=("status",),
    ),
    RunMetric(
        "gainstage_run_step",
        "Optimizer step of the newest frame.",
        lambda shown: _one(shown.record.step),
    ),
    RunMetric(
        "gainstage_run_last_frame_timestamp_seconds",
        "When the newest frame came, by the server's clock.",
        lambda shown: _one(shown.record.last_frame),
    ),
    RunMetric(
        "gainstage_run_frames",
        "Frames stored.",
        lambda shown: _one(shown.record.frames),
        family=CounterMetricFamily,
    ),
    RunMetric(
        "gainstage_run_layers",
        "Layers that have this verdict.",
        lambda shown: _counted((verdict,) for verdict in shown.record.verdicts if verdict),
        labels=("verdict",),
    ),
    RunMetric(
        "gainstage_run_worst_saturation_ratio",
        "Saturation rate of the most saturated layer.",
        lambda shown: _one(shown.record.worst_saturation),
    ),
    RunMetric(
        "gainstage_run_mean_saturation_ratio",
        "Saturation rate, mean over the layers that have one.",
        lambda shown: _one(shown.record.mean_saturation),
    ),
    RunMetric(
        "gainstage_run_findings",
        "Open findings.",
        lambda shown: _counted((found.verdict, found.severity) for found in shown.findings),
        labels=("verdict", "severity"),
    ),
    RunMetric(
        "gainstage_layer_finding",
        f"1 for a layer with an open finding; at most {LAYERS_SHOWN} a run.",
        lambda shown: [(labels, 1.0) for labels in _layers_with_findings(shown)[:LAYERS_SHOWN]],
        labels=("layer", "verdict", "severity"),
    ),
    RunMetric(
        "gainstage_run_layer_findings_hidden",
        f"Open findings of layers beyond the first {LAYERS_SHOWN}, which have no series.",
        lambda shown: _one(max(0, len(_layers_with_findings(shown)) - LAYERS_SHOWN)),
    ),
)


def shown_runs(runs: Runs, now: float) -> list[Shown]:
    """The runs that have series: live ones, and those that were lost not long ago."""
    shown: list[Shown] = []
    for record in runs.all():
        status = runs.status(record, now)
        recent = now - runs.last_seen(record, now) <= LOST_SHOWN_SECONDS
        if status != "ended" and recent:
            shown.append(Shown(record, status, tuple(runs.open_findings(record.run))))
    return shown


class ServiceCollector(Collector):
    """Reads a service at scrape time."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        shown_now = shown_runs(self._service.runs, self._clock())
        for metric in RUN_METRICS:
            labels = ("run", "project", *metric.labels)
            family: Any = metric.family(metric.name, metric.help, labels=labels)
            for shown in shown_now:
                for values, value in metric.samples(shown):
                    family.add_metric((shown.record.run, shown.record.project, *values), value)
            yield family
        yield from self._of_server()

    def _of_server(self) -> Iterator[Metric]:
        counters = self._service.counters
        messages = CounterMetricFamily(
            "gainstage_ingest_messages", "Messages of trainers.", labels=("result",)
        )
        for result, count in counters.messages.items():
            messages.add_metric((result,), count)
        yield messages
        yield CounterMetricFamily(
            "gainstage_store_commit_failures",
            "Batches that could not be stored.",
            counters.commit_failures,
        )
        yield _histogram(
            "gainstage_store_commit_seconds", "Time to store a batch.", counters.commit_seconds
        )
        yield GaugeMetricFamily("gainstage_trainers", "Trainers connected.", counters.trainers)
        yield GaugeMetricFamily("gainstage_viewers", "Viewers connected.", len(self._service.hub))
        build = GaugeMetricFamily("gainstage_build_info", "The release.", labels=("version",))
        build.add_metric((version("gainstage"),), 1)
        yield build


def _histogram(name: str, help: str, histogram: Histogram) -> HistogramMetricFamily:
    total = 0
    buckets: list[tuple[str, float]] = []
    bounds = [*map(str, histogram.bounds), "+Inf"]
    for bound, count in zip(bounds, histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, help, buckets=buckets, sum_value=histogram.sum)


@router.get("/metrics", response_class=Response, include_in_schema=False)
def metrics(service: Annotated[Service, Depends(service_of)]) -> Response:
    """The state of all runs and of the server, in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(service))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
