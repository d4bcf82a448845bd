"""Whether a pod is injected, and the reason that people get."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.injector.annotations import namespace_keys, pod_keys
from fsm_stack.injector.decision import Decision, admit, namespace_view, webhook_skips
from fsm_stack.injector.profile import Refusal
from fsm_stack.systems import FSM, OSM, OSM_EDGE
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
    ("name", "whose"),
    [
        ("kube-system", "Kubernetes' own"),
        ("kube-public", "Kubernetes' own"),
        ("fsm-system", "the control plane's"),
    ],
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


def admitted(given: dict[str, Any], place: Any) -> Decision:
    decision, mutation = admit(given, mesh=mesh(), namespace=place, proxy_id=ID)
    assert (mutation is not None) == decision.inject
    return decision


def test_a_namespace_that_is_not_enrolled_has_no_injected_pods() -> None:
    """A webhook whose selector somebody changed may ask about it all the same."""
    place = namespace(labels={"flomesh.io/monitored-by": "other"})
    assert admitted(pod({KEY: "yes"}), place) == Decision(
        outcome="leave",
        why="namespace shop is not enrolled in the mesh",
        steps=("the pod has a network namespace of its own",),
    )


def test_a_refused_value_is_named_with_its_place() -> None:
    for given, place, path in (
        (pod({KEY: "on"}), namespace(), f"metadata.annotations.{KEY}"),
        (
            pod(),
            namespace(sidecar_injection="on"),
            f"namespace shop metadata.annotations.{KEY}",
        ),
    ):
        with pytest.raises(Refusal) as caught:
            admit(given, mesh=mesh(), namespace=place, proxy_id=ID)
        assert caught.value.as_finding().as_text() == (
            f'{path}: error: invalid annotation value for key "{KEY}": on [injection-value]'
        )


MACHINE = {"apiVersion": "machine.flomesh.io/v1alpha1", "kind": "VirtualMachine"}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("yes", "it asks for it"),
        ("no", "it declines it"),
        (None, "namespace shop asks for it, and it does not object"),
    ],
)
def test_a_virtual_machine_is_spoken_of_as_one(value: str | None, why: str) -> None:
    annotations = {KEY: value} if value else {}
    decision = admitted(MACHINE | {"metadata": {"annotations": annotations}}, namespace())
    said = f"{KEY} is {value!r}" if value else f"no {KEY}"
    assert (decision.inject, decision.why) == (value != "no", why)
    assert decision.steps == (
        "namespace shop is enrolled in the mesh",
        f"VirtualMachine: {said}",
        f"namespace shop: {KEY} is 'enabled'",
        "it gets the mesh's label; its own start script redirects",
    )


def test_a_virtual_machine_gets_a_label_and_keeps_its_own() -> None:
    given = MACHINE | {"metadata": {"name": "m", "labels": {"a": "b"}}, "spec": {"c": 1}}
    _, mutation = admit(given, mesh=mesh(), namespace=namespace(), proxy_id=ID)
    assert mutation is not None
    labels = {"a": "b", "fsm-proxy-uuid": ID}
    assert mutation.plain() == given | {"metadata": {"name": "m", "labels": labels}}
    assert (mutation.secret, mutation.init) == (None, None)


def test_a_pod_in_node_level_mode_gets_the_label_alone() -> None:
    known = mesh(traffic={"interceptionMode": "NodeLevel"})
    _, mutation = admit(pod(), mesh=known, namespace=namespace(), proxy_id=ID)
    assert mutation is not None
    labels = {"app": "web", "fsm-proxy-uuid": ID}
    assert mutation.plain() == pod() | {"metadata": {"name": "web", "labels": labels}}


def test_a_namespace_is_read_as_the_api_server_would_take_it() -> None:
    """It sets the label of the name, and refuses labels and annotations that are no texts."""
    view = namespace_view(
        {
            "metadata": {
                "name": "shop",
                "labels": {"a": "b", "c": 1, 2: "d"},
                "annotations": {"e": "f", "g": None},
            }
        }
    )
    assert (view.name, view.assumed) == ("shop", False)
    assert view.labels == {"kubernetes.io/metadata.name": "shop", "a": "b"}
    assert view.annotations == {"e": "f"}
    for odd in ({}, {"metadata": 1}, {"metadata": {"name": 1, "labels": [], "annotations": ""}}):
        nameless = namespace_view(odd)
        assert nameless.labels == {"kubernetes.io/metadata.name": ""}
        assert (nameless.name, nameless.annotations) == ("", {})


LISTS = {
    "outbound-port-exclusion-list",
    "inbound-port-exclusion-list",
    "outbound-ip-range-exclusion-list",
    "outbound-ip-range-inclusion-list",
}
RESOURCES = {
    f"sidecar-resource-{kind}-{name}"
    for kind in ("limits", "requests")
    for name in ("cpu", "memory", "storage", "ephemeral-storage")
}
OPTIONS = {
    "sidecar-image",
    "hold-application-until-proxy-starts",
    "graceful-exit-until-downstream-ends",
}


@pytest.mark.parametrize(
    ("known", "prefix", "both"),
    [
        (FSM, "flomesh.io", {"sidecar-injection"} | RESOURCES | OPTIONS),
        (OSM_EDGE, "openservicemesh.io", {"sidecar-injection"} | RESOURCES),
        (OSM, "openservicemesh.io", {"sidecar-injection"}),
    ],
)
def test_each_injector_reads_its_annotations(known: Any, prefix: str, both: set[str]) -> None:
    """Lists are of pods alone, metrics of namespaces alone."""
    assert pod_keys(known) == {f"{prefix}/{name}" for name in both | LISTS}
    assert namespace_keys(known) == {f"{prefix}/{name}" for name in both | {"metrics"}}
