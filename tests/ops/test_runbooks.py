"""Every alert has a runbook and the reverse, and what pages ask Prometheus can be asked."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gainstage.exposition import RUN_METRICS
from gainstage_server.metrics import SERVER_METRICS
from gainstage_server.ops import alerts, metrics_page
from gainstage_server.ops.alerts import ALERTS, RECORDINGS, Alert

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RUNBOOKS = sorted((DOCS / "runbooks").glob("*.md"))
PROMQL = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = ["What to look at", "What to do", "When it is a false alarm"]
# A metric's name, or that of a recording rule, wherever it stands.
NAME = re.compile(r"[a-z_]*:?gainstage_(?!server\b)[a-z_]+(?::\w+)?")
METRICS = {metric.name for metric in (*RUN_METRICS, *SERVER_METRICS)}


def known_names() -> set[str]:
    """What may be asked for: metrics, the series of histograms, and recordings."""
    histograms = {metric.name for metric in SERVER_METRICS if metric.kind == "histogram"}
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    return METRICS | parts | {recording.record for recording in RECORDINGS}


def unknown_names(text: str) -> set[str]:
    return set(NAME.findall(text)) - known_names()


def queries(page: Path) -> list[str]:
    return [block.strip() for block in PROMQL.findall(page.read_text())]


def test_every_alert_has_a_runbook_and_the_reverse() -> None:
    assert [page.stem for page in RUNBOOKS] == sorted(alert.name for alert in ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_runbook_says_what_to_look_at_and_what_to_do_and_shows_the_rule(alert: Alert) -> None:
    page = DOCS / alert.page
    first, *headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)

    assert first == alert.name
    assert headings == SECTIONS
    assert queries(page)[0] == alert.expr
    assert len(queries(page)) > 1


def test_every_metric_that_a_page_or_a_rule_names_exists() -> None:
    pages = [*RUNBOOKS, *DOCS.glob("*.md"), Path(alerts.__file__).parent / "alerts.yml"]
    named = {page.name: unknown_names(page.read_text()) for page in pages}

    assert {page: names for page, names in named.items() if names} == {}
    assert unknown_names("rate(gainstage_no_such_total[5m])") == {"gainstage_no_such_total"}


def test_page_of_metrics_is_what_the_tables_generate() -> None:
    generated = metrics_page.page()

    assert (DOCS / "metrics.md").read_text() == generated, "`make generate` writes it"
    assert all(f"| `{name}` |" in generated for name in METRICS)


def test_page_of_operations_lists_every_alert_and_no_other() -> None:
    text = (DOCS / "operations.md").read_text()

    assert sorted(re.findall(r"runbooks/(\w+)\.md", text)) == sorted(a.name for a in ALERTS)


def test_prometheus_can_be_asked_what_runbooks_ask(
    program: Callable[..., str], tmp_path: Path
) -> None:
    asked = [query for page in RUNBOOKS for query in queries(page)]
    rules = [{"record": f"asked:{place}", "expr": query} for place, query in enumerate(asked)]

    def check(rules: list[dict[str, str]]) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "rules.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
        command = [program("promtool"), "check", "rules", "--lint=none", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    checked = check(rules)

    assert checked.returncode == 0, checked.stderr
    assert f"{len(asked)} rules found" in checked.stdout
    assert check([*rules, {"record": "asked:broken", "expr": "max by run (x)"}]).returncode != 0
