"""Whether a pod is injected, and the reason that people get."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.injector.decision import webhook_skips
from fsm_stack.workloads.preview import preview
from tests.given import ID, mesh, namespace, pod

KEY = "flomesh.io/sidecar-injection"


def decision_of(given: dict[str, Any], place: Any = None) -> tuple[str, str]:
    found = preview(given, mesh=mesh(), namespace=place or namespace(), proxy_id=ID).decision
    return found.outcome, found.why


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    ("pod_value", "namespace_value", "outcome", "why"),
    [
        (None, "enabled", "inject", "namespace shop asks for it, and the pod does not object"),
        ("yes", "disabled", "inject", "the pod asks for it"),
        ("No", "enabled", "leave", "the pod declines it"),
        (None, "false", "leave", "namespace shop declines it, and the pod does not ask for it"),
        ("maybe", "enabled", "refuse", f"pod: {KEY} is 'maybe', neither a yes nor a no"),
        ("yes", " yes", "refuse", f"namespace shop: {KEY} is ' yes', neither a yes nor a no"),
    ],
)
def test_pod_and_namespace_decide(
    pod_value: str | None, namespace_value: str, outcome: str, why: str
) -> None:
    """Both values are read before either counts, so a bogus one refuses in any case."""
    given = pod({KEY: pod_value} if pod_value is not None else None)
    place = namespace(sidecar_injection=namespace_value)
    found = preview(given, mesh=mesh(), namespace=place, proxy_id=ID).decision
    if outcome == "refuse":
        value = pod_value if pod_value == "maybe" else namespace_value
        why = f'invalid annotation value for key "{KEY}": {value}'
    assert (found.outcome, found.why) == (outcome, why)


def test_a_pod_without_any_word_is_left_alone() -> None:
    place = namespace()
    silent = type(place)(name="shop", labels=place.labels)
    why = "neither the pod nor namespace shop asks for it"
    assert decision_of(pod(), silent) == ("leave", why)


def test_host_network_comes_before_any_annotation() -> None:
    given = pod({KEY: "bogus"}, hostNetwork=True)
    why = "hostNetwork: the pod shares the node's network namespace"
    assert decision_of(given) == ("leave", why)


@pytest.mark.parametrize(
    ("name", "whose"), [("kube-system", "Kubernetes' own"), ("kube-public", "Kubernetes' own")]
)
def test_some_namespaces_never_are(name: str, whose: str) -> None:
    why = f"namespace {name} is {whose}: its pods are never injected"
    assert decision_of(pod(), namespace(name)) == ("leave", why)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (
            {"flomesh.io/monitored-by": "other"},
            "namespace shop: label flomesh.io/monitored-by is 'other', the mesh is 'fsm'",
        ),
        (
            {"flomesh.io/ignore": ""},
            "namespace shop: label flomesh.io/ignore keeps the webhook away",
        ),
        ({"control-plane": "x"}, "namespace shop: label control-plane keeps the webhook away"),
        ({"name": "fsm-system"}, "namespace shop: label name names the control plane"),
    ],
)
def test_the_webhooks_selectors_decide_first(labels: dict[str, str], why: str) -> None:
    """The injector never sees such a pod, so its annotations cannot matter."""
    assert decision_of(pod({KEY: "bogus"}), namespace(labels=labels)) == ("leave", why)


def test_osms_webhook_compares_the_label_that_kubernetes_sets() -> None:
    known = mesh("osm")
    place = namespace(of=known, labels={"kubernetes.io/metadata.name": "osm-system"})
    assert webhook_skips(place, known) is not None
    assert webhook_skips(namespace(of=known, labels={"name": "osm-system"}), known) is None


def test_each_step_is_named() -> None:
    found = preview(pod({KEY: "yes"}), mesh=mesh(), namespace=namespace(), proxy_id=ID).decision
    assert found.steps == (
        "the pod has a network namespace of its own",
        "namespace shop is enrolled in the mesh",
        f"pod: {KEY} is 'yes'",
        f"namespace shop: {KEY} is 'enabled'",
    )
