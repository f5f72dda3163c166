"""A run's figures for Prometheus: one table, which the server and the training process serve alike.

Never a series for each layer and statistic: 1,000 layers with 40 statistics would be 40,000 series
a run. Layers have one only while they have an open finding.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gainstage.finding import Finding
from gainstage.frame import Table

# Layers of a run that may have a series; the others are counted.
LAYERS_SHOWN = 50

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """A run as it is at the time of a scrape.

    Attributes:
        status: "live" or "lost".
        step: Optimizer step of the newest frame.
        last_frame: When the newest frame came, Unix time in seconds.
        frames: Frames so far.
        verdicts: One a row; empty where the row is not judged.
        worst_saturation: Saturation rate of the most saturated layer; None where none has one.
        mean_saturation: Its mean over the layers that have one.
        findings: The open ones, without those that a person has muted.
    """

    run: str
    project: str
    status: str
    step: int | None
    last_frame: float | None
    frames: int
    verdicts: Sequence[str]
    worst_saturation: float | None
    mean_saturation: float | None
    findings: Sequence[Finding]


@dataclass(frozen=True)
class RunMetric:
    """A metric of every run: `samples` gives label values and a value each."""

    name: str
    help: str
    samples: Callable[[RunFigures], Samples]
    labels: tuple[str, ...] = ()
    family: type[GaugeMetricFamily] | type[CounterMetricFamily] = GaugeMetricFamily


def _one(value: float | None) -> Samples:
    return () if value is None else (((), float(value)),)


def _counted(labels: Iterable[tuple[str, ...]]) -> Samples:
    return [(values, float(count)) for values, count in Counter(labels).items()]


def _layers_with_findings(run: RunFigures) -> list[tuple[str, str, str]]:
    """Layer, verdict and severity, each once: several calls of a layer share its path."""
    found = [(finding.layer, finding.verdict, finding.severity) for finding in run.findings]
    return list(dict.fromkeys(found))


RUN_METRICS = (
    RunMetric(
        "gainstage_run_info",
        "A run that has not ended; its status is live or lost.",
        lambda run: [((run.status,), 1.0)],
        labels=("status",),
    ),
    RunMetric(
        "gainstage_run_step", "Optimizer step of the newest frame.", lambda run: _one(run.step)
    ),
    RunMetric(
        "gainstage_run_last_frame_timestamp_seconds",
        "When the newest frame came, by the clock of the process that is scraped.",
        lambda run: _one(run.last_frame),
    ),
    RunMetric(
        "gainstage_run_frames",
        "Frames so far.",
        lambda run: _one(run.frames),
        family=CounterMetricFamily,
    ),
    RunMetric(
        "gainstage_run_layers",
        "Layers that have this verdict.",
        lambda run: _counted((verdict,) for verdict in run.verdicts if verdict),
        labels=("verdict",),
    ),
    RunMetric(
        "gainstage_run_worst_saturation_ratio",
        "Saturation rate of the most saturated layer.",
        lambda run: _one(run.worst_saturation),
    ),
    RunMetric(
        "gainstage_run_mean_saturation_ratio",
        "Saturation rate, mean over the layers that have one.",
        lambda run: _one(run.mean_saturation),
    ),
    RunMetric(
        "gainstage_run_findings",
        "Open findings that are not muted.",
        lambda run: _counted((found.verdict, found.severity) for found in run.findings),
        labels=("verdict", "severity"),
    ),
    RunMetric(
        "gainstage_layer_finding",
        f"1 for a layer with an open finding that is not muted; at most {LAYERS_SHOWN} a run.",
        lambda run: [(labels, 1.0) for labels in _layers_with_findings(run)[:LAYERS_SHOWN]],
        labels=("layer", "verdict", "severity"),
    ),
    RunMetric(
        "gainstage_run_layer_findings_hidden",
        f"Open findings of layers beyond the first {LAYERS_SHOWN}, which have no series.",
        lambda run: _one(max(0, len(_layers_with_findings(run)) - LAYERS_SHOWN)),
    ),
)


def families(runs: Sequence[RunFigures]) -> Iterator[Metric]:
    """Every metric of `runs`, in Prometheus's own form."""
    for metric in RUN_METRICS:
        family: Any = metric.family(
            metric.name, metric.help, labels=("run", "project", *metric.labels)
        )
        for run in runs:
            for values, value in metric.samples(run):
                family.add_metric((run.run, run.project, *values), value)
        yield family


def saturation(table: Table) -> tuple[float | None, float | None]:
    """(worst, mean) saturation rate over the layers that have one; None where none has."""
    rates = table.column("saturation_rate")
    rates = rates[np.isfinite(rates)]
    return (float(rates.max()), float(rates.mean())) if rates.size else (None, None)


class Exposition(Collector):
    """Serves one run at http://127.0.0.1:`port`/metrics until it is closed.

    `read` is called at each scrape, in a thread of its own; None: there is nothing to show yet.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, port: int, read: Callable[[], RunFigures | None]) -> None:
        self._read = read
        registry = CollectorRegistry()
        registry.register(self)
        self._server, self._thread = start_http_server(port, "127.0.0.1", registry)

    def collect(self) -> Iterator[Metric]:
        """The run's metrics as they are now."""
        run = self._read()
        return families([] if run is None else [run])

    def close(self) -> None:
        """Stops serving; the port is free afterwards."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
