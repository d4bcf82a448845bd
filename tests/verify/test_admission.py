"""A webhook that is there and does not send every new pod to the injector, broken in every way."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.verify.check import Status

from .world import World, world

CHECK = "cluster-webhook-rules"
WEBHOOK = ("MutatingWebhookConfiguration", "", "fsm-webhook-fsm")


def entry(mesh: World) -> dict[str, Any]:
    found: dict[str, Any] = mesh.the("MutatingWebhookConfiguration", "fsm-webhook-fsm")
    only: dict[str, Any] = found["webhooks"][0]
    return only


@pytest.mark.parametrize(
    ("part", "value", "shown"),
    [
        ("operations", ["UPDATE"], "UPDATE of * of v1 of pods"),
        ("apiGroups", ["apps"], "CREATE of apps of v1 of pods"),
        ("apiVersions", ["v2"], "CREATE of * of v2 of pods"),
        ("resources", ["pods/exec"], "CREATE of * of v1 of pods/exec"),
        ("scope", "Cluster", "CREATE of * of v1 of pods"),
    ],
)
@pytest.mark.parametrize("origin", ["stack", "cluster"])
def test_rules_that_pass_new_pods_by_are_an_error_without_a_stack_too(
    part: str, value: object, shown: str, origin: Any
) -> None:
    mesh = world()
    mesh.known = replace(mesh.known, origin=origin)
    entry(mesh)["rules"] = [{**entry(mesh)["rules"][0], part: value}]
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "no rule of it is about new pods (CREATE of v1 pods): they get no sidecar"
    )
    assert finding.value == shown


@pytest.mark.parametrize(
    "rule",
    [
        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]},
        {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
         "resources": ["pods"], "scope": "Namespaced"},
    ],
)  # fmt: skip
def test_other_rules_that_take_new_pods_pass(rule: dict[str, Any]) -> None:
    mesh = world()
    entry(mesh)["rules"] = [{"operations": ["DELETE"]}, rule]
    assert mesh.outcome(CHECK).status is Status.PASSED


@pytest.mark.parametrize(
    ("client", "message"),
    [
        ({"service": {"path": "/x"}}, "its path is /x, the injector answers /mutate-pod-creation"),
        (
            {"service": {"name": "other"}},
            "it leads to Service fsm-system/other, expected fsm-system/fsm-injector",
        ),
        (
            {"url": "https://laptop.example/"},
            "it leads to https://laptop.example/, not to the injector's Service",
        ),
    ],
)
def test_a_webhook_that_leads_elsewhere_is_an_error(client: dict[str, Any], message: str) -> None:
    mesh = world()
    known = entry(mesh)["clientConfig"]
    known["service"] |= client.get("service", {})
    if "url" in client:
        known |= client
    (finding,) = mesh.outcome(CHECK).findings
    assert (finding.message, finding.severity) == (message, Severity.ERROR)
    assert finding.fix == (
        "The injector writes it when it starts: kubectl rollout restart deployment/fsm-injector "
        "-n fsm-system"
    )


def test_a_webhook_that_leads_nowhere_is_an_error() -> None:
    """An anonymous snapshot leaves a URL out."""
    mesh = world()
    del entry(mesh)["clientConfig"]["service"]
    assert mesh.messages(CHECK) == ["it names no Service"]


def test_a_selector_of_pods_says_which_pods_get_no_sidecar() -> None:
    mesh = world()
    entry(mesh)["objectSelector"] = {"matchLabels": {"never": "matches"}}
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "its objectSelector takes only pods with label never=matches: others get no sidecar"
    )
    entry(mesh)["objectSelector"] = {
        "matchExpressions": [{"key": "plain", "operator": "DoesNotExist"}]
    }
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "its objectSelector takes pods with label plain DoesNotExist: others get no sidecar"
    )


def test_a_condition_is_shown_and_never_taken_for_true() -> None:
    mesh = world()
    entry(mesh)["matchConditions"] = [{"name": "none", "expression": "false"}]
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.message == "its matchCondition none decides which pods get a sidecar"
    assert (finding.value, finding.severity) == ("false", Severity.ERROR)


def test_what_the_api_server_fills_in_is_no_drift_and_no_fault() -> None:
    mesh = world()
    entry(mesh).update({"objectSelector": {}, "reinvocationPolicy": "Never"})
    for rule in entry(mesh)["rules"]:
        rule["scope"] = "*"
    assert mesh.outcome(CHECK).findings == ()
    assert mesh.outcome("cluster-webhook-drift").findings == ()


@pytest.mark.parametrize(
    ("field", "default", "other"),
    [
        ("timeoutSeconds", 10, 7),
        ("matchPolicy", "Equivalent", "Exact"),
        ("reinvocationPolicy", "Never", "IfNeeded"),
    ],
)
def test_a_field_that_is_not_declared_drifts_only_from_the_api_servers_default(
    field: str, default: object, other: object
) -> None:
    """Files that somebody else writes may leave it out; the server then fills it in."""
    mesh = world()
    declared = copy.deepcopy(mesh.known.objects[WEBHOOK])
    declared["webhooks"][0].pop(field, None)
    mesh.known = replace(mesh.known, objects={**mesh.known.objects, WEBHOOK: declared})
    entry(mesh)[field] = default
    assert mesh.messages("cluster-webhook-drift") == []
    entry(mesh)[field] = other
    assert mesh.messages("cluster-webhook-drift") == [
        f"webhooks[0].{field} differs from what is declared"
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("objectSelector", {"matchLabels": {"never": "matches"}}),
        ("reinvocationPolicy", "IfNeeded"),
        ("matchPolicy", "Equivalent"),
    ],
)
def test_other_values_than_the_defaults_are_drift(path: str, value: object) -> None:
    mesh = world()
    entry(mesh)[path] = value
    assert mesh.messages("cluster-webhook-drift") == [
        f"webhooks[0].{path} differs from what is declared"
    ]


def test_an_interception_mode_that_ends_injection_of_rules_is_an_error() -> None:
    mesh = world()
    traffic = mesh.the("MeshConfig")["spec"]["traffic"]
    traffic["interceptionMode"] = "NodeLevel"
    (finding,) = mesh.outcome("cluster-mesh-config-drift").findings
    assert finding.severity is Severity.ERROR
    assert finding.message == "spec.traffic.interceptionMode differs from what is declared"
