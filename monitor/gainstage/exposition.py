"""A run's metrics for Prometheus: one table, which the server and the training process serve alike.

Never a series for each layer and statistic: 1,000 layers with 40 statistics would be 40,000 series
a run. Layers have one only while they have an open finding.
"""

import functools
import os
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gainstage.figures import RunFigures
from gainstage.finding import Severity, severest_first

# Layers of a run that may have a series; the others are counted.
LAYERS_SHOWN = 50

RUN_LABELS = ("run", "project")
# Of a scrape, what is written in one go: threads that have something to do wait for no more.
_PART_SECONDS = 5e-4
Samples = Iterable[tuple[tuple[str, ...], float]]
Source = TypeVar("Source")


@dataclass(frozen=True, kw_only=True)
class Metric(Generic[Source]):
    """A row of a table of metrics.

    Attributes:
        name: As Prometheus stores it, `_total` included.
        kind: What may be asked of it: `rate()` of a counter only.
        unit: The base unit, which the name ends with; empty where things are counted.
        labels: Besides those that all metrics of its table have.
        help: One sentence.
        read: Values of the labels and a value, for each series.
        follows: The attribute of its source that `read` reads alone, where that seldom changes.
    """

    name: str
    help: str
    read: Callable[[Source], Samples]
    kind: Literal["gauge", "counter"] = "gauge"
    unit: str = ""
    labels: tuple[str, ...] = ()
    follows: str = ""

    @property
    def family(self) -> str:
        """The name without what its samples' names add."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name


def one(value: float | None) -> Samples:
    """A single series, if there is a value."""
    return () if value is None else (((), float(value)),)


def counted(values: Iterable[str], *, always: Sequence[str] = ()) -> Samples:
    """How often each value of a label occurs, but for the empty one; 0 is told of `always`."""
    counts = Counter(dict.fromkeys(always, 0))
    counts.update(values)
    return [((value,), float(count)) for value, count in counts.items() if value]


def _layers_with_findings(run: RunFigures) -> list[tuple[str, str, str]]:
    """Layer, verdict and severity, each once: several calls of a layer share its path.

    The severest first: beyond a number they have no series.
    """
    found = [(one.layer, one.verdict, one.severity) for one in severest_first(run.findings)]
    return list(dict.fromkeys(found))


RUN_METRICS: tuple[Metric[RunFigures], ...] = (
    Metric(
        name="gainstage_run_info",
        help="1 for a run that has not ended; its status is live or lost.",
        labels=("status",),
        read=lambda run: [((run.status,), 1.0)],
    ),
    Metric(
        name="gainstage_run_step",
        help="Optimizer step of the newest frame.",
        read=lambda run: one(run.step),
    ),
    Metric(
        name="gainstage_run_last_frame_timestamp_seconds",
        help="When the newest frame came, by the clock of the process that is scraped; before the "
        "first one, when the attempt began.",
        unit="seconds",
        read=lambda run: one(run.last_frame),
    ),
    Metric(
        name="gainstage_run_frames_total",
        help="Samples of the training that have come.",
        kind="counter",
        read=lambda run: one(run.frames),
    ),
    Metric(
        name="gainstage_run_thinned_frames",
        help="Frames that the trainer has dropped because its spool was full, as it says with its "
        "newest frame.",
        read=lambda run: one(run.thinned),
    ),
    Metric(
        name="gainstage_run_spool_bytes",
        help="What waited in the trainer's spool for the server, as it says with its newest frame.",
        unit="bytes",
        read=lambda run: one(run.spooled),
    ),
    Metric(
        name="gainstage_run_overhead_ratio",
        help="Share of the training time that samples have taken.",
        unit="ratio",
        read=lambda run: one(run.costs.get("share")),
    ),
    Metric(
        name="gainstage_run_overhead_budget_ratio",
        help="Share of the training time that samples may take; none where every N steps are read.",
        unit="ratio",
        read=lambda run: one(run.costs.get("budget")),
    ),
    Metric(
        name="gainstage_run_layers",
        help="Layers that have this verdict.",
        labels=("verdict",),
        read=lambda run: counted(run.verdicts),
        follows="verdicts",
    ),
    Metric(
        name="gainstage_run_worst_saturation_ratio",
        help="Saturation rate of the most saturated layer.",
        unit="ratio",
        read=lambda run: one(run.of_frame.worst_saturation),
    ),
    Metric(
        name="gainstage_run_mean_saturation_ratio",
        help="Saturation rate, mean over the layers that have one.",
        unit="ratio",
        read=lambda run: one(run.of_frame.mean_saturation),
    ),
    Metric(
        name="gainstage_run_worst_excess_decibels",
        help="Level above the activation's headroom, of the layer where that is most; below 0 "
        "where all layers are within theirs.",
        unit="decibels",
        read=lambda run: one(run.of_frame.worst_excess),
    ),
    Metric(
        name="gainstage_run_worst_nonfinite_ratio",
        help="Share of values that are NaN or infinite, of the layer where that is most.",
        unit="ratio",
        read=lambda run: one(run.of_frame.worst_nonfinite),
    ),
    Metric(
        name="gainstage_run_findings",
        help="Open findings that are not muted; 0 is a series too.",
        labels=("severity",),
        read=lambda run: counted(
            (finding.severity for finding in run.findings), always=get_args(Severity)
        ),
        follows="findings",
    ),
    Metric(
        name="gainstage_layer_finding",
        help=f"1 for a layer with an open finding that is not muted; at most {LAYERS_SHOWN} a run.",
        labels=("layer", "verdict", "severity"),
        read=lambda run: [(labels, 1.0) for labels in _layers_with_findings(run)[:LAYERS_SHOWN]],
        follows="findings",
    ),
    Metric(
        name="gainstage_run_layer_findings_hidden",
        help=f"Open findings of layers beyond the first {LAYERS_SHOWN}, which have no series.",
        read=lambda run: one(max(0, len(_layers_with_findings(run)) - LAYERS_SHOWN)),
        follows="findings",
    ),
)


def family_of(metric: Metric[Any], labels: Sequence[str] = ()) -> Any:
    """A metric without samples, in the form that prometheus-client writes; `labels` come first."""
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.family, metric.help, labels=(*labels, *metric.labels), unit=metric.unit)


def families(runs: Sequence[RunFigures]) -> Iterator[Family]:
    """Every metric of `runs`, in the form that prometheus-client writes."""
    for metric in RUN_METRICS:
        family = family_of(metric, RUN_LABELS)
        for run in runs:
            for values, value in metric.read(run):
                family.add_metric((run.run, run.project, *values), value)
        yield family


# prometheus-client takes many times as long, more than a second of processor time for 1,000 runs
# with findings in 50 layers each (`python -m benchmarks.scrape`).
class Text:
    """Writes runs as the body of a scrape, one scrape after the other.

    What is written of findings and verdicts, which is most of it, is kept until they change.
    """

    def __init__(self) -> None:
        # Metric, run and project -> what the lines follow from, and the lines.
        self._kept: dict[tuple[str, str, str], tuple[Any, str]] = {}

    def parts(self, runs: Sequence[RunFigures], *, openmetrics: bool = False) -> Iterator[str]:
        """Every metric of `runs`, without OpenMetrics's `# EOF`.

        It comes in parts that take about half a millisecond each.
        """
        kept, self._kept = self._kept, {}
        own = [_labels(RUN_LABELS) % _escaped((run.run, run.project)) for run in runs]
        written: list[str] = []
        begun = time.perf_counter()
        for metric in RUN_METRICS:
            written.append(_head(metric, openmetrics=openmetrics))
            form = f"{metric.name}{{%s,{_labels(metric.labels)}}} ".replace(",}", "}")
            for run, labels in zip(runs, own, strict=True):
                if not metric.follows:
                    written.append(_lines(metric, form, run, labels))
                else:
                    key = metric.name, run.run, run.project
                    source, lines = getattr(run, metric.follows), kept.get(key)
                    if lines is None or not (lines[0] is source or lines[0] == source):
                        lines = source, _lines(metric, form, run, labels)
                    self._kept[key] = lines
                    written.append(lines[1])
                if time.perf_counter() - begun > _PART_SECONDS:
                    yield "".join(written)
                    written, begun = [], time.perf_counter()
        yield "".join(written)


def _head(metric: Metric[Any], *, openmetrics: bool) -> str:
    family = metric.family if openmetrics else metric.name
    unit = f"# UNIT {family} {metric.unit}\n" if openmetrics and metric.unit else ""
    return f"# HELP {family} {metric.help}\n# TYPE {family} {metric.kind}\n{unit}"


def _lines(metric: Metric[RunFigures], form: str, run: RunFigures, labels: str) -> str:
    return "".join(
        [
            f"{form % (labels, *_escaped(values))}{floatToGoString(value)}\n"
            for values, value in metric.read(run)
        ]
    )


def _labels(names: Iterable[str]) -> str:
    return ",".join(f'{name}="%s"' for name in names)


# Layers of one model, and verdicts, come again in other runs.
@functools.lru_cache(4_096)
def _escaped(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") for value in values
    )


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
        self._forsaken = False
        _open.add(self)

    def collect(self) -> Iterator[Family]:
        """The run's metrics as they are now."""
        run = self._read()
        return families([] if run is None else [run])

    def close(self) -> None:
        """Stops serving; the port is free afterwards."""
        if self._forsaken:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forsake(self) -> None:
        """In the child of a fork: the port is the parent's, and the thread is not here."""
        self._forsaken = True
        self._server.socket.close()


class Exposed(Protocol):
    """What has figures to show."""

    def figures(self) -> RunFigures | None:
        """Those of now; None: there are none yet."""
        ...


def exposed(port: int, run: Exposed) -> Exposition:
    """Serves the figures of `run` until nothing refers to it any more, or it is closed.

    Raises:
        OSError: The port is taken, or may not be opened.
    """
    figures = weakref.WeakMethod(run.figures)
    try:
        exposition = Exposition(port, lambda: (read := figures()) and read())
    except OSError as error:
        raise OSError(
            f"Port {port} cannot be opened for Prometheus ({error}): the run's figures are not "
            "served. Expected a free port. Give LayerMonitor another `prometheus_port`."
        ) from error
    weakref.finalize(run, exposition.close)
    return exposition


_open: "weakref.WeakSet[Exposition]" = weakref.WeakSet()


def _forsake_all() -> None:
    for exposition in list(_open):
        exposition.forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forsake_all)
