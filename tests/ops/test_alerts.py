"""The alert rules: one table, one generated file, and what Prometheus itself says about them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gainstage.diagnosis import RULES, Rule
from gainstage_server.ops import alerts
from gainstage_server.ops.alerts import ALERTS, Alert

OPS = Path(alerts.__file__).parent

Program = Callable[..., str]


def run(*command: str | Path, cwd: Path = OPS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_rules_file_is_what_the_table_generates() -> None:
    generated = alerts.render()

    assert (OPS / "alerts.yml").read_text() == generated, "alerts.yml says how to generate it"


def test_rendered_rules_say_what_the_table_says() -> None:
    (group,) = yaml.safe_load(alerts.render())["groups"]

    records = [rule for rule in group["rules"] if "record" in rule]
    read = [
        Alert(
            name=rule["alert"],
            expr=rule["expr"],
            hold=rule["for"],
            severity=rule["labels"]["severity"],
            summary=rule["annotations"]["summary"],
            description=rule["annotations"]["description"],
        )
        for rule in group["rules"][len(records) :]
    ]
    links = [rule["annotations"]["runbook_url"] for rule in group["rules"][len(records) :]]

    assert tuple(alerts.Recording(**rule) for rule in records) == alerts.RECORDINGS
    assert tuple(read) == ALERTS
    assert links == [f"{alerts.DOCS}/runbooks/{alert.name}.md" for alert in ALERTS]


def test_rules_that_fire_at_once_are_the_same_otherwise() -> None:
    usual, at_once = (
        yaml.safe_load(alerts.render(at_once=flag))["groups"][0]["rules"] for flag in (False, True)
    )

    assert {rule["for"] for rule in at_once if "alert" in rule} == {"0s"}
    assert [rule | {"for": ""} for rule in at_once] == [rule | {"for": ""} for rule in usual]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_follows_the_conventions(alert: Alert) -> None:
    assert re.fullmatch(r"Gainstage([A-Z][a-z]+)+", alert.name)
    assert "{{" not in alert.summary
    assert "{{" in alert.description
    assert alert.summary.endswith(".")


@pytest.mark.parametrize("recording", alerts.RECORDINGS, ids=lambda recording: recording.record)
def test_recording_is_named_by_level_metric_and_operation(recording: alerts.Recording) -> None:
    level, metric, operation = recording.record.split(":")

    assert metric in recording.expr
    assert re.fullmatch(r"(max|sum|rate5m|p99_5m)", operation)
    assert all(label in recording.expr for label in level.split("_"))


def layer_finding(
    run: str, verdict: str, severity: str, values: str, server: str = "s:8420"
) -> dict[str, str]:
    """A series of one layer, as promtool wants it."""
    labels = {"job": "gainstage", "instance": server, "run": run, "project": "p"}
    labels |= {"layer": "dense", "verdict": verdict, "severity": severity}
    written = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return {"series": f"gainstage_layer_finding{{{written}}}", "values": values}


def finding_case(rule: Rule, other: Rule) -> dict[str, Any]:
    """An open finding alerts once for all calls of a layer and all servers, until it closes.

    One that flaps, where the alert waits, and one of `other` never alert.
    """
    alert = alerts.finding_alert(rule)
    at_once = alert.hold == "0s"
    soon = "1m" if at_once else "2m15s"
    description = alert.description
    for name, value in {"layer": "dense", "run": "open", "project": "p"}.items():
        description = description.replace(f"{{{{ $labels.{name} }}}}", value)
    fires = {
        "exp_labels": {
            "run": "open",
            "project": "p",
            "layer": "dense",
            "verdict": rule.verdict,
            "severity": rule.severity,
        },
        "exp_annotations": {
            "summary": rule.meaning,
            "description": description,
            "runbook_url": f"{alerts.DOCS}/runbooks/{alert.name}.md",
        },
    }
    return {
        "name": rule.verdict,
        "interval": "15s",
        "input_series": [
            *([] if at_once else [layer_finding("flaps", rule.verdict, "critical", "1 1 stale")]),
            layer_finding("open", rule.verdict, "critical", "_x4 1x11 stale"),
            layer_finding("open", rule.verdict, "warning", "_x4 1x11 stale"),
            layer_finding("open", rule.verdict, "warning", "_x4 1x11 stale", "other:8420"),
            layer_finding("other", other.verdict, "critical", "1x20"),
        ],
        "alert_rule_test": [
            {"eval_time": "45s", "alertname": alert.name},
            {"eval_time": soon, "alertname": alert.name, "exp_alerts": [fires]},
            {"eval_time": "4m30s", "alertname": alert.name},
        ],
    }


def finding_cases() -> dict[str, Any]:
    """One for each rule of the diagnosis."""
    others = (*RULES[1:], RULES[0])
    return {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "15s",
        "tests": list(map(finding_case, RULES, others)),
    }


def judged(program: Program, folder: Path, rules: str) -> subprocess.CompletedProcess[str]:
    """What promtool says of `rules` in all cases: those of the file and those of the findings."""
    (folder / "alerts.yml").write_text(rules)
    (folder / "system.yml").write_text((OPS / "alerts_test.yml").read_text())
    (folder / "findings.yml").write_text(yaml.safe_dump(finding_cases()))
    return run(program("promtool"), "test", "rules", "system.yml", "findings.yml", cwd=folder)


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not() -> None:
    system = yaml.safe_load((OPS / "alerts_test.yml").read_text())
    cases = [*system["tests"], *finding_cases()["tests"]]
    checks = [check for case in cases for check in case["alert_rule_test"]]

    fires = {check["alertname"] for check in checks if check.get("exp_alerts")}
    does_not = {check["alertname"] for check in checks if not check.get("exp_alerts")}

    assert fires == does_not == {alert.name for alert in ALERTS}


def test_promtool_accepts_the_rules(program: Program) -> None:
    checked = run(program("promtool"), "check", "rules", "alerts.yml")

    assert checked.returncode == 0, checked.stderr
    assert f"{len(alerts.RECORDINGS) + len(ALERTS)} rules found" in checked.stdout


def test_rules_alert_when_they_should(program: Program, tmp_path: Path) -> None:
    tested = judged(program, tmp_path, (OPS / "alerts.yml").read_text())

    assert tested.returncode == 0, tested.stderr


def test_promtool_refuses_a_broken_rule(program: Program, tmp_path: Path) -> None:
    rules = (OPS / "alerts.yml").read_text().replace(" == 1", " === 1")
    (tmp_path / "alerts.yml").write_text(rules)

    checked = run(program("promtool"), "check", "rules", "alerts.yml", cwd=tmp_path)

    assert checked.returncode != 0
    assert "GainstageActivityFinding" in checked.stderr


def test_rule_tests_notice_a_rule_that_never_fires(program: Program, tmp_path: Path) -> None:
    rules = (OPS / "alerts.yml").read_text().replace("gainstage_layer_finding", "renamed")

    tested = judged(program, tmp_path, rules)

    assert tested.returncode != 0
    assert "GainstageNonfiniteFinding" in tested.stderr


def test_promtool_accepts_the_configuration(program: Program, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    configuration = (OPS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(
        configuration.replace("/run/gainstage/token", str(token))
    )
    (tmp_path / "alerts.yml").write_text((OPS / "alerts.yml").read_text())
    (tmp_path / "targets.yml").write_text((OPS / "targets" / "two.yml").read_text())

    checked = run(program("promtool"), "check", "config", "prometheus.yml", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_amtool_accepts_the_configuration(program: Program) -> None:
    checked = run(program("amtool"), "check-config", "alertmanager.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_amtool_refuses_a_route_to_nobody(program: Program, tmp_path: Path) -> None:
    configuration = (OPS / "alertmanager.yml").read_text()
    (tmp_path / "alertmanager.yml").write_text(
        configuration.replace("receiver: nobody", "receiver: anybody")
    )

    checked = run(program("amtool"), "check-config", "alertmanager.yml", cwd=tmp_path)

    assert checked.returncode != 0
