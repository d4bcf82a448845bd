"""Alerts and board as data: they ask for metrics, labels and values that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack.findings.finding import Severity
from fsm_stack.manifests.verifying import APP
from fsm_stack.verify.check import Status
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.metrics import METRICS
from tests.manifests.stacks import named

FOLDER = Path(__file__).parents[2] / "docs/monitoring"
SELECTOR = re.compile(r"(?P<metric>fsm_stack_\w+)(\{(?P<matchers>[^}]*)\})?")
MATCHER = re.compile(r'(?P<label>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>[^"]*)"')
KNOWN = {
    "check": {check.id for check in CHECKS},
    "group": {check.group for check in CHECKS},
    "status": {status.value for status in Status},
    "severity": {severity.value for severity in Severity},
}


def alerts() -> dict[str, dict[str, Any]]:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}


def panels() -> dict[str, dict[str, Any]]:
    board = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    return {panel["title"]: panel for panel in board["panels"]}


def expressions() -> dict[str, str]:
    """Every query, by the alert or panel that makes it."""
    found = {name: rule["expr"] for name, rule in alerts().items()}
    for title, panel in panels().items():
        (found[title],) = [target["expr"] for target in panel["targets"]]
    return found


def wrong(expression: str) -> list[str]:
    """What an expression asks for and no run says."""
    told = []
    selectors = list(SELECTOR.finditer(expression))
    if not selectors:
        told.append("no metric")
    for selector in selectors:
        metric = selector["metric"]
        labels = METRICS[metric][0] if metric in METRICS else None
        if labels is None:
            told.append(metric)
            continue
        for match in MATCHER.finditer(selector["matchers"] or ""):
            values = match["value"].split("|") if "~" in match["operator"] else [match["value"]]
            if match["label"] not in labels:
                told.append(f"{metric}: {match['label']}")
            told += [value for value in values if value not in KNOWN[match["label"]]]
        by = re.search(r"\bby \(([^)]*)\)", expression)
        told += [name for name in (by[1].split(", ") if by else ()) if name not in labels]
    return told


@pytest.mark.parametrize("name", expressions())
def test_a_query_asks_for_what_a_run_says(name: str) -> None:
    """A misspelt metric is no error to Prometheus: the alert would never fire."""
    assert wrong(expressions()[name]) == []
    assert expressions()[name].count("(") == expressions()[name].count(")")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("max(fsm_stack_verify_check)", ["fsm_stack_verify_check"]),
        ('fsm_stack_verify_findings{status="failed"}', ["fsm_stack_verify_findings: status"]),
        ('fsm_stack_verify_check_status{status="broken"}', ["broken"]),
        ("sum by (pod) (fsm_stack_verify_findings)", ["pod"]),
        ("up", ["no metric"]),
    ],
)
def test_a_query_of_something_else_is_noticed(expression: str, told: list[str]) -> None:
    assert wrong(expression)[: len(told)] == told


def test_a_run_that_ended_still_counts() -> None:
    """What was scraped once is stale after five minutes."""
    assert all("last_over_time(" in expression for expression in expressions().values())


def test_alerts_say_what_to_do_and_how_urgent_it_is() -> None:
    assert len(alerts()) == 6
    for rule in alerts().values():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_scraped_pods_are_those_of_the_cronjob() -> None:
    data = {"verify": {"schedule": "@hourly", "image": "fsm-stack:0.1.0", "metricsPort": 9090}}
    pod = named(data, "CronJob", APP).object["spec"]["jobTemplate"]["spec"]["template"]
    scrape = yaml.safe_load((FOLDER / "scrape.yaml").read_text(encoding="utf-8"))
    (config,) = scrape["scrape_configs"]
    kept = {
        rule["source_labels"][0].rpartition("_pod_")[2]: rule["regex"]
        for rule in config["relabel_configs"]
        if rule.get("action") == "keep"
    }

    assert pod["metadata"]["labels"]["app"] == kept["label_app"]
    assert pod["spec"]["containers"][0]["ports"][0]["name"] == kept["container_port_name"]


def test_the_board_is_one_that_grafana_imports() -> None:
    board = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in board["panels"]]

    assert board["uid"]
    assert board["schemaVersion"] >= 36
    assert len(ids) == len(set(ids)) == 9
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
