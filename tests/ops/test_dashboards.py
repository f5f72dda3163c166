"""Grafana's dashboards: one table, generated files, and questions that Prometheus understands.

No test starts Grafana: there is none to install here.
"""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gainstage.exposition import RUN_METRICS
from gainstage_server.metrics import SERVER_METRICS
from gainstage_server.ops import dashboards
from gainstage_server.ops.dashboards import DASHBOARDS, Dashboard, Query

GRAFANA = Path(dashboards.__file__).parent / "grafana"
COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
VARIABLES = {"$__rate_interval": "1m", "$project": "digits", "$run": "mine"}

Program = Callable[..., str]
PAGES = pytest.mark.parametrize("page", DASHBOARDS.values(), ids=DASHBOARDS.keys())


def queries(page: Dashboard) -> list[Query]:
    return [query for panel in page.panels for query in panel.queries]


def judged(program: Program, folder: Path, expressions: list[str]) -> bool:
    """Whether Prometheus understands them, as what rules would record."""
    rules = [
        {"record": f"question:{place}", "expr": expression}
        for place, expression in enumerate(expressions)
    ]
    file = folder / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}))
    command = [program("promtool"), "check", "rules", "--lint=none", str(file)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def filled_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


@PAGES
def test_file_is_what_the_table_generates(page: Dashboard) -> None:
    file = GRAFANA / f"{page.name}.json"

    assert file.read_text() == dashboards.render(page), "`make generate` writes it"


@PAGES
def test_prometheus_understands_every_question(
    page: Dashboard, program: Program, tmp_path: Path
) -> None:
    expressions = [filled_in(query.expression) for query in queries(page)]

    assert not any("$" in expression for expression in expressions)
    assert judged(program, tmp_path, expressions)


def test_question_that_prometheus_does_not_understand_is_noticed(
    program: Program, tmp_path: Path
) -> None:
    assert not judged(program, tmp_path, ["sum(rate(gainstage_ingest_frames_total))"])


@PAGES
def test_every_metric_that_is_asked_for_exists(page: Dashboard) -> None:
    known = {metric.name for metric in (*RUN_METRICS, *SERVER_METRICS)}
    asked = {
        HISTOGRAM.sub("", name)
        for query in queries(page)
        for name in re.findall(r"gainstage_\w+", query.expression)
    }

    assert asked
    assert asked - known == set()


@PAGES
def test_panels_ask_the_chosen_source_and_explain_themselves(page: Dashboard) -> None:
    made: dict[str, Any] = json.loads(dashboards.render(page))

    assert all(panel["datasource"]["uid"] == "${source}" for panel in made["panels"])
    assert all(panel["description"].endswith(".") for panel in made["panels"])
    assert [one["name"] for one in made["templating"]["list"]] == ["source", page.variable]


def test_runs_of_the_fleet_lead_to_the_page_of_a_run() -> None:
    fleet = dashboards.render(DASHBOARDS["fleet"])
    run = json.loads(dashboards.render(DASHBOARDS["run"]))

    (link,) = set(re.findall(r"/d/([\w-]+)\?var-(\w+)=", fleet))

    assert link == (run["uid"], DASHBOARDS["run"].variable)


def test_compose_gives_grafana_what_provisions_it() -> None:
    service = yaml.safe_load(COMPOSE.read_text())["services"]["grafana"]
    mounted = dict(volume.removesuffix(":ro").split(":") for volume in service["volumes"])
    inside = {Path(path).name: target for path, target in mounted.items()}
    (provider,) = yaml.safe_load((GRAFANA / "providers.yml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "datasources.yml").read_text())["datasources"]

    assert {path.name for path in GRAFANA.iterdir()} <= set(inside)
    for name in DASHBOARDS:
        assert inside[f"{name}.json"] == f"{provider['options']['path']}/{name}.json"
    assert source["url"] == "http://prometheus:9090"
    assert service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in inside.values()
