"""Objects that somebody made to harm who looks at them: shown, and shown harmlessly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fsm_stack.findings.finding import harmless
from fsm_stack.verify.check import Report, run_checks
from fsm_stack.verify.commands import command
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.report import all_lines, as_json, lines, sarif
from fsm_stack.verify.restarting.restarts import lines as restart_lines
from fsm_stack.verify.restarting.restarts import restarts

from .world import DEV, World, expected, pod_json, world

if TYPE_CHECKING:
    from fsm_stack.verify.check import Context

PORTS = "flomesh.io/outbound-port-exclusion-list"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"
HIDDEN = "\u202e\u200b\x9b"


def report(mesh: World) -> Report:
    context: Context = mesh.context()
    return Report(context=context, outcomes=run_checks(context, CHECKS))


def printed(mesh: World) -> str:
    known = report(mesh)
    plain = json.dumps(as_json(known), ensure_ascii=False)
    scanned = json.dumps(sarif(known), ensure_ascii=False)
    return "\n".join([*lines(known), *all_lines(known), plain, scanned])


def restart_script(mesh: World) -> list[str]:
    context = mesh.context()
    return list(restart_lines(context, restarts(context), batch=10))


@pytest.mark.parametrize("text", [ESCAPE, HIDDEN, "a\nFAILED everything", "\r\x00"])
def test_what_a_terminal_would_obey_is_written_out(text: str) -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["metadata"]["annotations"] = {PORTS: text, f"flomesh.io/{text}": text}
    pod["status"]["containerStatuses"][1] |= {
        "ready": False,
        "state": {"waiting": {"reason": text, "message": text}},
    }
    mesh.the("Namespace", "shop")["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = text
    shown = printed(mesh)
    assert not [one for one in shown if not one.isprintable() and one != "\n"]
    assert "\nFAILED everything" not in shown
    assert len(report(mesh).findings) >= 4


def test_a_huge_annotation_is_cut_and_counted() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"] = {PORTS: "9" * 200_000}
    shown = printed(mesh)
    assert len(shown) < 30_000
    assert "more characters)" in shown


def test_text_of_an_object_makes_no_link_in_sarif() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"] = {PORTS: "[log in](https://evil.example)"}
    text = json.dumps(sarif(report(mesh)))
    assert "[log in]" not in text
    assert "\\\\[log in\\\\](https://evil.example)" in text


def test_a_name_that_is_shell_is_quoted_in_a_command() -> None:
    mesh = world(DEV)
    mesh.remove("Pod")
    stale = pod_json(expected(DEV.replace("[6379, 7070]", "[1]")), "x; rm -rf ~")
    stale["metadata"]["ownerReferences"][0]["name"] = "$(reboot)-1"
    mesh.objects.append(stale)
    (item,) = mesh.outcome("pod-stale").findings
    assert item.fix == "kubectl rollout restart 'deployment/$(reboot)' -n shop"
    assert (
        "kubectl rollout restart 'deployment/$(reboot)' -n shop --context test"
        in restart_script(mesh)
    )


@pytest.mark.requirement("C42")
def test_commands_are_ascii_or_are_not_printed() -> None:
    assert command("kubectl", "get", "pod", "web\uff0c1") == ""
    assert command("kubectl", "get", "pod", "a\nrm") == ""
    assert command("kubectl", "-n", "shop") == "kubectl -n shop"


def test_a_new_line_in_an_owners_name_ends_no_comment() -> None:
    mesh = world()
    mesh.remove("Pod")
    stale = pod_json(expected(DEV.replace("[6379, 7070]", "[1]")))
    stale["metadata"]["ownerReferences"][0]["name"] = "a\nreboot-1"
    mesh.objects.append(stale)
    for line in restart_script(mesh):
        assert not line.startswith("reboot")


def test_context_and_server_of_a_file_are_shown_harmlessly() -> None:
    mesh = world()
    known = report(mesh)
    source = replace(known.context.snapshot.source, context=ESCAPE, server=HIDDEN)
    snapshot = replace(known.context.snapshot, source=source)
    shown = "\n".join(lines(replace(known, context=replace(known.context, snapshot=snapshot))))
    assert shown.splitlines()[1] == r"context \x1b]0;owned\x07\x1b[2J"
    assert shown.splitlines()[2] == r"server  \u202e\u200b\x9b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\u4e2d\u6587", "\u4e2d\u6587"),
        ("a\tb", "a\\tb"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "... (1 more characters)"),
        ("x" * 302, "x" * 300 + "... (2 more characters)"),
        (5, "5"),
    ],
)
def test_text_is_one_printable_line(text: object, shown: str) -> None:
    assert harmless(text) == shown


ODD = [None, 5, "x", [], [5], {"a": 5}, {"metadata": 5}, {"metadata": {"name": 5, "labels": [1]}}]


@pytest.mark.parametrize("value", ODD, ids=[str(one) for one in ODD])
@pytest.mark.parametrize("part", ["metadata", "spec", "status", "webhooks", "data", "endpoints"])
@pytest.mark.parametrize(
    "kind",
    ["Pod", "Namespace", "MeshConfig", "ConfigMap", "MutatingWebhookConfiguration", "Service",
     "EndpointSlice", "Deployment"],
)  # fmt: skip
def test_an_object_of_an_odd_form_is_no_traceback(kind: str, part: str, value: object) -> None:
    """A file may hold anything; a cluster does not."""
    mesh = world()
    broken = mesh.the(kind)
    if part != "metadata" or (isinstance(value, dict) and "metadata" not in value):
        broken[part] = value
    else:
        broken["metadata"] = {**broken["metadata"], "labels": value, "annotations": value,
                              "ownerReferences": value, "managedFields": value}  # fmt: skip
    assert report(mesh).outcomes
