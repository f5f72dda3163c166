"""The alert rules: one table, one generated file, and what Prometheus itself says about them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gainstage_server.ops import alerts
from gainstage_server.ops.alerts import ALERTS, Alert

ROOT = Path(__file__).parents[2]
OPS = Path(alerts.__file__).parent

Program = Callable[..., str]


def run(*command: str | Path, cwd: Path = OPS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_rules_file_is_what_the_table_generates() -> None:
    generated = alerts.render(ALERTS)

    assert (OPS / "alerts.yml").read_text() == generated, "alerts.yml says how to generate it"


def test_rendered_rules_say_what_the_table_says() -> None:
    (group,) = yaml.safe_load(alerts.render(ALERTS))["groups"]

    read = [
        Alert(
            name=rule["alert"],
            expr=rule["expr"],
            hold=rule["for"],
            severity=rule["labels"]["severity"],
            summary=rule["annotations"]["summary"],
            description=rule["annotations"]["description"],
            runbook=rule["annotations"]["runbook_url"].removeprefix(f"{alerts.DOCS}/"),
        )
        for rule in group["rules"]
    ]

    assert tuple(read) == ALERTS


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_follows_the_conventions(alert: Alert) -> None:
    page, _, anchor = alert.runbook.partition("#")

    assert re.fullmatch(r"Gainstage([A-Z][a-z]+)+", alert.name)
    assert "{{" not in alert.summary
    assert "{{" in alert.description
    assert anchor in anchors(ROOT / "docs" / page)


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not() -> None:
    cases = yaml.safe_load((OPS / "alerts_test.yml").read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]

    fires = {check["alertname"] for check in checks if check.get("exp_alerts")}
    does_not = {check["alertname"] for check in checks if not check.get("exp_alerts")}

    assert fires == does_not == {alert.name for alert in ALERTS}


def test_promtool_accepts_the_rules(program: Program) -> None:
    checked = run(program("promtool"), "check", "rules", "alerts.yml")

    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_rules_alert_when_they_should(program: Program) -> None:
    tested = run(program("promtool"), "test", "rules", "alerts_test.yml")

    assert tested.returncode == 0, tested.stderr


def test_promtool_refuses_a_broken_rule(program: Program, tmp_path: Path) -> None:
    rules = (OPS / "alerts.yml").read_text().replace(" == 1", " === 1")
    (tmp_path / "alerts.yml").write_text(rules)

    checked = run(program("promtool"), "check", "rules", "alerts.yml", cwd=tmp_path)

    assert checked.returncode != 0
    assert "GainstageActivityFinding" in checked.stderr


def test_rule_tests_notice_a_rule_that_never_fires(program: Program, tmp_path: Path) -> None:
    rules = (OPS / "alerts.yml").read_text().replace("gainstage_layer_finding", "renamed")
    (tmp_path / "alerts.yml").write_text(rules)
    (tmp_path / "alerts_test.yml").write_text((OPS / "alerts_test.yml").read_text())

    tested = run(program("promtool"), "test", "rules", "alerts_test.yml", cwd=tmp_path)

    assert tested.returncode != 0
    assert "GainstageNonFinite" in tested.stderr


def test_promtool_accepts_the_configuration(program: Program, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    configuration = (OPS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(
        configuration.replace("/run/gainstage/token", str(token))
    )
    (tmp_path / "alerts.yml").write_text((OPS / "alerts.yml").read_text())

    checked = run(program("promtool"), "check", "config", "prometheus.yml", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_amtool_accepts_the_configuration(program: Program) -> None:
    checked = run(program("amtool"), "check-config", "alertmanager.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_amtool_refuses_a_route_to_nobody(program: Program, tmp_path: Path) -> None:
    configuration = (OPS / "alertmanager.yml").read_text()
    (tmp_path / "alertmanager.yml").write_text(
        configuration.replace("receiver: default", "receiver: nobody")
    )

    checked = run(program("amtool"), "check-config", "alertmanager.yml", cwd=tmp_path)

    assert checked.returncode != 0
