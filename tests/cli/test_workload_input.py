"""inject, lint and annotate say what they did not look at, and end with 2 where that is all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .test_workloads import WEB, run, web

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

__all__ = ["run", "web"]  # fixtures

EMPTY = "fsm-stack: error: the input is empty: expected Kubernetes objects, YAML or JSON\n"
NOTHING = "fsm-stack: error: nothing could be looked at\n"
VERBS = [("lint",), ("inject",), ("inject", "--explain"), ("annotate", "--hold")]
ROLLOUT = WEB.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout")


@pytest.mark.parametrize("words", VERBS)
@pytest.mark.parametrize("text", ["", "# a comment\n---\n"])
def test_an_empty_input_is_no_clean_one(
    run: Callable[..., Result], words: tuple[str, ...], text: str
) -> None:
    result = run(words[0], "dev", "-f", "-", *words[1:], stdin=text)
    assert result.exit_code == 2
    assert result.stderr.endswith(EMPTY)


@pytest.mark.parametrize("words", VERBS)
def test_a_document_without_version_is_named(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    text = WEB.partition("---")[0].replace("apiVersion: apps/v1\n", "")
    result = run(words[0], "dev", "-f", "-", *words[1:], stdin=text)
    assert result.exit_code == 2
    assert "note: passed over, no apiVersion: <stdin>:1 Deployment/shop/web\n" in result.stderr
    assert result.stderr.endswith(NOTHING)


@pytest.mark.parametrize("words", VERBS)
def test_what_hangs_on_a_placeholder_is_not_decided(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    """Of a namespace that nobody has named, no selector matches or fails to match."""
    text = WEB.partition("---")[0].replace("namespace: shop", "namespace: $PLACE")
    result = run(words[0], "dev", "-f", "-", *words[1:], stdin=text)
    assert result.exit_code == 2
    assert result.stderr.endswith("nothing could be looked at; render it first\n")
    assert "is absent" not in result.output
    assert "not-injected" not in result.output
    if words == ("inject", "--explain"):
        assert "Deployment $PLACE/web\n  -> unknown: render it first\n" in result.stdout
        assert "metadata.namespace: $PLACE is not rendered" in result.stdout
        assert "READY" not in result.stdout
    if words[0] == "annotate":
        assert result.stdout == text
        assert "left alone, Deployment $PLACE/web: metadata.namespace: $PLACE" in result.stderr
    decided = run(words[0], "dev", "-f", "-", *words[1:], stdin=WEB)
    assert "render it first" not in decided.output


def test_the_same_as_json_says_unknown(run: Callable[..., Result]) -> None:
    text = WEB.partition("---")[0].replace("namespace: shop", "namespace: $PLACE")
    (only,) = json.loads(run("inject", "dev", "-f", "-", "-o", "json", stdin=text).stdout)[
        "workloads"
    ]
    assert only["outcome"] == "unknown"
    assert only["why"] == "metadata.namespace: $PLACE is not rendered: render it first"


MACHINE = """\
apiVersion: machine.flomesh.io/v1alpha1
kind: VirtualMachine
metadata:
  name: vm
  namespace: shop
  annotations: {flomesh.io/inbound-port-exclusion-list: "70000"}
spec: {machineIP: 192.0.2.7}
"""


def test_a_virtual_machines_lists_are_in_vain_and_nothing_else_is_said_of_them(
    run: Callable[..., Result],
) -> None:
    """It gets a label: no rules, no containers, and no init container that could fail."""
    said = run("lint", "dev", "-f", "-", stdin=MACHINE).stdout
    assert said.count("error: ") == 1
    assert said.endswith(
        "flomesh.io/inbound-port-exclusion-list: ignored, a VirtualMachine gets no init container: "
        "its own start script redirects [lists-ignored]\n"
    )
    explained = run("inject", "dev", "-f", "-", "--explain", stdin=MACHINE).stdout
    assert "it gets the mesh's label; its own start script redirects\n" in explained
    assert "READY" not in explained
    assert "network namespace" not in explained
    alone = run("annotate", "dev", "-f", "-", "--hold", stdin=MACHINE)
    assert alone.stdout == MACHINE
    assert "left alone, VirtualMachine shop/vm: a VirtualMachine gets no init" in alone.stderr
    clean = MACHINE.replace(
        '  annotations: {flomesh.io/inbound-port-exclusion-list: "70000"}\n', ""
    )
    assert "lists-ignored" not in run("lint", "dev", "-f", "-", stdin=clean).stdout


@pytest.mark.parametrize("words", VERBS)
def test_a_templates_source_is_to_be_rendered_first(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    text = WEB.replace("namespace: shop", "namespace: {{ .Values.place }}")
    result = run(words[0], "dev", "-f", "-", *words[1:], stdin=text)
    assert result.exit_code == (1 if words[0] == "lint" else 2)  # lint looks at the Service, too
    said = result.stdout if words[0] == "lint" else result.stderr
    assert "<stdin>:5: " in said
    assert "{{ .Values.place }} is not rendered: render the template first" in said


def test_where_every_namespace_is_a_placeholder_nothing_was_looked_at(
    run: Callable[..., Result],
) -> None:
    text = WEB.partition("---")[0].replace("namespace: shop", "namespace: $PLACE")
    result = run("lint", "dev", "-f", "-", stdin=text)
    assert result.exit_code == 2
    assert "metadata.namespace: $PLACE is not rendered: render it first" in result.stdout


def test_an_operators_object_is_looked_at_and_its_place_said(run: Callable[..., Result]) -> None:
    result = run("lint", "dev", "-f", "-", stdin=ROLLOUT)
    assert result.exit_code == 1
    assert "stands on the Rollout, where nobody reads it" in result.stdout
    assert result.stderr == (
        "note: 1 Rollout: the pod template is at spec.template\n"
        "note: passed over, no pod template: 1 Service\n"
        "2 objects, 1 finding, 1 passed over\n"
    )
    patched = run("annotate", "dev", "-f", "-", "--hold", stdin=ROLLOUT)
    assert 'hold-application-until-proxy-starts: "enabled"' in patched.stdout
    assert patched.stderr.endswith("2 objects, 1 workload, 1 passed over, 1 annotated\n")


def test_programs_read_what_was_passed_over(run: Callable[..., Result]) -> None:
    text = f"{ROLLOUT}---\nkind: Pod\n"
    plain = json.loads(run("lint", "dev", "-f", "-", "-o", "json", stdin=text).stdout)
    assert plain["summary"] == {"objects": 3, "workloads": 1, "findings": 1, "passedOver": 2}
    assert plain["podTemplates"] == [{"kind": "Rollout", "path": "spec.template", "count": 1}]
    assert plain["passedOver"] == [
        {"object": "Service/web", "reason": "no pod template", "file": "<stdin>", "line": 19},
        {"object": "Pod/(unnamed)", "reason": "no apiVersion", "file": "<stdin>", "line": 23},
    ]
    report = json.loads(run("lint", "dev", "-f", "-", "-o", "sarif", stdin=text).stdout)
    notes = report["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == [
        "1 Rollout: the pod template is at spec.template",
        "passed over, no pod template: 1 Service",
        "passed over, no apiVersion: <stdin>:23 Pod/(unnamed)",
    ]
    given = json.loads(run("inject", "dev", "-f", "-", "-o", "json", stdin=text).stdout)
    assert [item["object"] for item in given["passedOver"]] == ["Service/web", "Pod/(unnamed)"]
