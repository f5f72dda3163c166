"""`python -m gainstage_server.ops.metrics_page` prints docs/metrics.md from the tables."""

from collections.abc import Iterable
from typing import Any, get_args

from gainstage.exposition import LAYERS_SHOWN, RUN_LABELS, RUN_METRICS, Metric
from gainstage.finding import VERDICTS, Severity
from gainstage_server.metrics import SERVER_METRICS, HistogramMetric
from gainstage_server.runs import LOST_SHOWN_SECONDS

PAGE = """\
# Metrics

<!-- Generated: python -m gainstage_server.ops.metrics_page -->

`GET /metrics` on the server shows Prometheus every run that has not ended, and the server itself;
where tokens are set it takes the read token. `LayerMonitor(prometheus_port=9100)` serves the same
table of its one run from the training process, on that machine only: scrape it from there, under a
job of another name than `gainstage`, whose end is no alert. Of the alerts about runs, those about
stalled ones and ones that ended with findings need the server. Both answer in Prometheus's text
format, or in OpenMetrics 1.0 to a scraper that asks for it, compressed where it takes gzip.

Values are read at the moment of the scrape. The series of a run that has ended are gone at the next
one; those of a run that is lost stay for {hours:.0f} hours, so that an alert about it can be seen.
A layer has a series only while it has an open finding that nobody has muted, and at most {layers}
layers of a run do: the others are counted. So a run has {most} series at the very most, however
many layers it has. For 1,000 runs with open findings in {layers} layers each, a scrape is 70,000
series and takes the server an eighth of a second of one core, in parts of half a millisecond, and
frames are stored between them:

```sh
python -m benchmarks.scrape
```

Several servers over one store export the same of a run. The recording rules take the `max by
(project, run)`, and the alerts are about these ([operations](operations.md#alerts)).

## Of a run

Labels of each: {run_labels}.

{run_table}

## Of the server

{server_table}

The server's process adds `process_*`, such as `process_resident_memory_bytes`, as every Python
program that uses prometheus-client does.
"""
# A metric's labels -> the series that it has of a run at most; a run has one status at a time.
MOST: dict[tuple[str, ...], int] = {
    (): 1,
    ("status",): 1,
    ("verdict",): len(VERDICTS),
    ("severity",): len(get_args(Severity)),
    ("layer", "verdict", "severity"): LAYERS_SHOWN,
}


def most_series() -> int:
    """Series that a run has at most."""
    return sum(MOST[metric.labels] for metric in RUN_METRICS)


def table(metrics: Iterable[Metric[Any] | HistogramMetric]) -> str:
    """A row for each."""
    rows = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    return PAGE.format(
        hours=LOST_SHOWN_SECONDS / 3600,
        layers=LAYERS_SHOWN,
        most=most_series(),
        run_labels=", ".join(f"`{label}`" for label in RUN_LABELS),
        run_table=table(RUN_METRICS),
        server_table=table(SERVER_METRICS),
    )


if __name__ == "__main__":
    print(page(), end="")
