"""What Prometheus is shown: read from the live state at the moment of the scrape."""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from gainstage.exposition import Metric, Samples, Text, family_of, one
from gainstage.figures import FrameFigures, RunFigures
from gainstage_server.counters import Histogram
from gainstage_server.grants import Grant, grant_of
from gainstage_server.progress import SPOOLED, THINNED
from gainstage_server.runs import Runs
from gainstage_server.service import Service, service_of
from gainstage_server.store.interface import StoreError

router = APIRouter()

# The text repeats itself so much that higher levels save little for several times the time.
GZIP_LEVEL = 1
_GZIP_FORMAT = 31  # of zlib's `wbits`
# After each part of a scrape: long enough for a thread that stores frames to wake up and to take
# Python's lock, which the next part would keep for up to 5 ms.
PAUSE_SECONDS = 2e-4


def shown_runs(runs: Runs, now: float, projects: Collection[str] | None = None) -> list[RunFigures]:
    """The runs that have series: live ones, and those that were lost not long ago.

    Args:
        runs: All of them.
        now: Unix time in seconds, by the server's clock.
        projects: Those whose runs are shown; None: of all.
    """
    shown: list[RunFigures] = []
    for record in runs.shown(now):
        if projects is None or record.project in projects:
            shown.append(
                RunFigures(
                    run=record.run,
                    project=record.project,
                    status=runs.status(record, now),
                    step=record.step,
                    last_frame=record.newest,
                    frames=record.frames,
                    verdicts=record.verdicts,
                    of_frame=FrameFigures(
                        worst_saturation=record.worst_saturation,
                        mean_saturation=record.mean_saturation,
                        worst_excess=record.worst_excess,
                        worst_nonfinite=record.worst_nonfinite,
                    ),
                    costs=record.costs,
                    thinned=int(record.costs.get(THINNED, 0)),
                    spooled=int(record.costs.get(SPOOLED, 0)),
                    findings=runs.heard_findings(record.run),
                )
            )
    return shown


@dataclass(frozen=True, kw_only=True)
class HistogramMetric:
    """A row of the table whose values are counted by size; as `Metric` otherwise."""

    name: str
    help: str
    read: Callable[[Service], Histogram]
    kind: str = "histogram"
    unit: str = ""
    labels: tuple[str, ...] = ()


def _of_store(read: Callable[[], int | None]) -> Samples:
    """What a store that cannot be asked does not tell; its failures are counted elsewhere."""
    try:
        return one(read())
    except (StoreError, OSError):
        return ()


def _statuses(runs: Runs, now: float) -> Samples:
    unended = runs.unended()
    counts = Counter({"live": 0, "lost": 0, "ended": len(runs) - len(unended)})
    counts.update(runs.status(record, now) for record in unended)
    return [((status,), float(count)) for status, count in counts.items()]


SERVER_METRICS: tuple[Metric[Service] | HistogramMetric, ...] = (
    Metric(
        name="gainstage_build_info",
        help="1, labelled with the release.",
        labels=("version",),
        read=lambda _service: [((version("gainstage"),), 1.0)],
    ),
    Metric(
        name="gainstage_runs",
        help="Runs that are stored, by whether they go on.",
        labels=("status",),
        read=lambda service: _statuses(service.runs, time.time()),
    ),
    Metric(
        name="gainstage_trainers",
        help="Trainers that are connected.",
        read=lambda service: one(service.counters.trainers),
    ),
    Metric(
        name="gainstage_viewers",
        help="Viewers that are connected.",
        read=lambda service: one(len(service.hub)),
    ),
    Metric(
        name="gainstage_webhook_messages_total",
        help="Messages to the receiver that GAINSTAGE_WEBHOOK_URL names: sent, failed (and tried "
        "again later), or rejected for good.",
        kind="counter",
        labels=("result",),
        read=lambda service: _by_label(service.counters.webhook),
    ),
    Metric(
        name="gainstage_ingest_messages_total",
        help="Messages of trainers: stored, stored before (duplicate), or refused.",
        kind="counter",
        labels=("result",),
        read=lambda service: _by_label(service.counters.messages),
    ),
    Metric(
        name="gainstage_ingest_frames_total",
        help="Frames that were stored.",
        kind="counter",
        read=lambda service: one(service.counters.frames),
    ),
    Metric(
        name="gainstage_ingest_refused_total",
        help="Messages that were refused, by why: larger than what is read (size), of a type that "
        "only a later release knows (release), no message (unreadable), against a limit or out of "
        "order (rule), of one run more than the server holds (runs).",
        kind="counter",
        labels=("reason",),
        read=lambda service: _by_label(service.counters.refused),
    ),
    Metric(
        name="gainstage_ingest_waiting_messages",
        help="Messages that have come and are not stored yet.",
        read=lambda service: one(service.writer.waiting[0]),
    ),
    Metric(
        name="gainstage_ingest_waiting_bytes",
        help="Bytes of the messages that have come and are not stored yet.",
        unit="bytes",
        read=lambda service: one(service.writer.waiting[1]),
    ),
    HistogramMetric(
        name="gainstage_store_commit_seconds",
        help="Time to store a batch of messages.",
        unit="seconds",
        read=lambda service: service.counters.commit_seconds,
    ),
    Metric(
        name="gainstage_store_commit_failures_total",
        help="Batches that could not be stored.",
        kind="counter",
        read=lambda service: one(service.counters.commit_failures),
    ),
    Metric(
        name="gainstage_store_bytes",
        help="What the store takes.",
        unit="bytes",
        read=lambda service: _of_store(service.store.size_bytes),
    ),
    Metric(
        name="gainstage_store_free_bytes",
        help="Space left where the store grows; none where a PostgreSQL holds it.",
        unit="bytes",
        read=lambda service: _of_store(service.store.free_bytes),
    ),
    Metric(
        name="gainstage_store_floor_bytes",
        help="Free space below which nothing is stored.",
        unit="bytes",
        read=lambda service: one(service.settings.disk_floor),
    ),
)


def _by_label(counts: dict[str, int]) -> Samples:
    return [((label,), float(count)) for label, count in counts.items()]


class ServiceCollector(Collector):
    """Reads a service's own metrics at scrape time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Family]:
        """All of them as they are now."""
        for metric in SERVER_METRICS:
            if isinstance(metric, HistogramMetric):
                yield _histogram(metric, metric.read(self._service))
            else:
                family: Any = family_of(metric)
                for labels, value in metric.read(self._service):
                    family.add_metric(labels, value)
                yield family


def _histogram(metric: HistogramMetric, histogram: Histogram) -> Family:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return HistogramMetricFamily(
        metric.name,
        metric.help,
        buckets=list(zip(bounds, accumulate(histogram.counts), strict=True)),
        sum_value=histogram.sum,
        unit=metric.unit,
    )


@router.get("/metrics", response_class=Response, include_in_schema=False)
def metrics(
    service: Annotated[Service, Depends(service_of)],
    grant: Annotated[Grant, Depends(grant_of)],
    accept: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """The state of all runs and of the server, in Prometheus's text format or in OpenMetrics.

    Whose token is of one project is shown its runs, and nothing of the server.
    """
    registry = CollectorRegistry()
    if grant.project is None:
        registry.register(ServiceCollector(service))
        ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    headers = {"vary": "accept, accept-encoding"}
    packing = None
    if gzip_accepted(accept_encoding):
        packing = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_FORMAT)
        headers["content-encoding"] = "gzip"
    projects = None if grant.project is None else (grant.project,)
    shown = shown_runs(service.runs, time.time(), projects)
    text = service.text if grant.project is None else Text()
    written: list[bytes] = []
    for part in text.parts(shown, openmetrics="openmetrics" in media_type):
        written.append(packing.compress(part.encode()) if packing else part.encode())
        time.sleep(PAUSE_SECONDS)
    own = encode(registry)
    written += [packing.compress(own), packing.flush()] if packing else [own]
    return Response(b"".join(written), media_type=media_type, headers=headers)
