"""What Prometheus is shown: read from the live state at the moment of the scrape."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gainstage.exposition import RunFigures, families
from gainstage_server.counters import Histogram
from gainstage_server.runs import Runs
from gainstage_server.service import Service, service_of

router = APIRouter()

# A lost run is shown for as long as someone may want to be told about it.
LOST_SHOWN_SECONDS = 24 * 3600.0


def shown_runs(runs: Runs, now: float) -> list[RunFigures]:
    """The runs that have series: live ones, and those that were lost not long ago."""
    shown: list[RunFigures] = []
    for record in runs.all():
        status = runs.status(record, now)
        recent = now - runs.last_seen(record, now) <= LOST_SHOWN_SECONDS
        if status != "ended" and recent:
            shown.append(
                RunFigures(
                    run=record.run,
                    project=record.project,
                    status=status,
                    step=record.step,
                    last_frame=record.last_frame,
                    frames=record.frames,
                    verdicts=record.verdicts,
                    worst_saturation=record.worst_saturation,
                    mean_saturation=record.mean_saturation,
                    findings=runs.heard_findings(record.run),
                )
            )
    return shown


class ServiceCollector(Collector):
    """Reads a service at scrape time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        yield from families(shown_runs(self._service.runs, time.time()))
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
