"""What a pod becomes: counts, order, refusals, and what stays the user's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fsm_stack.injector.annotations import script_lines
from fsm_stack.workloads.preview import preview
from tests.given import ID, container, mesh, namespace, pod

TCP = {"readinessProbe": {"tcpSocket": {"port": "http"}}}
NATIVE = {"name": "agent", "restartPolicy": "Always"}


def seen(given: dict[str, Any], name: str = "fsm", **options: Any) -> Any:
    known = mesh(name, **options)
    return preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)


@pytest.mark.requirement("C23")
@pytest.mark.parametrize(
    ("given", "count"),
    [
        (pod(), 2),
        (pod(containers=[container(**TCP)]), 3),
        (pod(initContainers=[{"name": "setup"}]), 2),
        (pod(initContainers=[NATIVE]), 3),
        (pod(hostNetwork=True), 1),
        (pod({"flomesh.io/sidecar-injection": "bogus"}), 0),
    ],
)
def test_the_ready_count_is_computed(given: dict[str, Any], count: int) -> None:
    """The documents say 2/2; a TCP probe adds the helper, and kubectl counts native sidecars."""
    assert seen(given).expected_ready == count


@pytest.mark.requirement("C6")
def test_the_rules_come_after_the_users_init_containers() -> None:
    names = [
        item["name"]
        for item in seen(pod(initContainers=[{"name": "a"}])).pod["spec"]["initContainers"]
    ]
    assert names == ["a", "fsm-init"]


@pytest.mark.requirement("C34", "C37", "C41")
@pytest.mark.parametrize(
    ("name", "init", "sidecar", "helper"),
    [
        ("fsm", "fsm-init", "sidecar", "fsm-healthcheck"),
        ("osm-edge", "osm-init", "sidecar", "osm-healthcheck"),
        ("osm", "osm-init", "envoy", "osm-healthcheck"),
    ],
)
def test_each_system_has_its_own_containers(
    name: str, init: str, sidecar: str, helper: str
) -> None:
    spec = seen(pod(containers=[container(**TCP)]), name).pod["spec"]
    assert [item["name"] for item in spec["containers"]] == ["web", helper, sidecar]
    (first,) = spec["initContainers"]
    assert (first["name"], first["image"]) == (init, "example.com/init_container:1")
    address = {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}
    assert first["env"] == [{"name": "POD_IP", "valueFrom": address}]


def test_a_held_application_starts_after_the_sidecar() -> None:
    given = pod({"flomesh.io/hold-application-until-proxy-starts": "yes"})
    containers = seen(given).pod["spec"]["containers"]
    assert [item["name"] for item in containers] == ["sidecar", "web"]


def test_the_given_pod_is_never_changed() -> None:
    given = pod({"a": "b"}, containers=[container(**TCP)], volumes=[{"name": "v"}])
    before = copy.deepcopy(given)
    result = seen(given)
    assert given == before
    result.pod["spec"]["containers"][-1]["env"].append("changed by a caller")
    assert "changed by a caller" not in seen(given).pod["spec"]["containers"][-1]["env"]


def test_a_refusal_is_a_finding_with_the_injectors_words() -> None:
    given = pod({"flomesh.io/outbound-port-exclusion-list": "80,x"})
    result = seen(given)
    assert (result.decision.outcome, result.pod) == ("refuse", given)
    assert result.decision.why == (
        "Invalid port value 'x' specified for annotation 'flomesh.io/outbound-port-exclusion-list'"
    )
    assert [item.as_text() for item in result.findings] == [
        "metadata.annotations.flomesh.io/outbound-port-exclusion-list: error: "
        "flomesh.io/outbound-port-exclusion-list='80,x': expected comma-separated ports from 1 to "
        "65535, got 'x' at position 2; the injector refuses the pod [invalid-port]"
    ]


@pytest.mark.parametrize(
    ("annotations", "last"),
    [
        (
            {"flomesh.io/sidecar-injection": "on"},
            "pod: flomesh.io/sidecar-injection is 'on', neither a yes nor a no",
        ),
        (
            {"flomesh.io/outbound-port-exclusion-list": "80,x"},
            "namespace shop asks for it, and the pod does not object",
        ),
    ],
)
def test_a_refusal_has_its_steps_too(annotations: dict[str, str], last: str) -> None:
    """An explanation says how far the injector came."""
    decision = seen(pod(annotations)).decision
    assert decision.outcome == "refuse"
    assert decision.steps[:2] == (
        "the pod has a network namespace of its own",
        "namespace shop is enrolled in the mesh",
    )
    assert decision.steps[-1] == last


def test_a_missing_image_refuses_every_pod() -> None:
    result = seen(pod(), environment={"FSM_DEFAULT_SIDECAR_IMAGE": ""})
    assert [item.as_text() for item in result.findings] == [
        "sidecar.sidecarImage: error: MeshConfig sidecar.sidecarImage not set [image-not-set]"
    ]


def test_an_unknown_sidecar_class_stops_osm_edges_injector() -> None:
    (finding,) = seen(pod(), "osm-edge", sidecar={"sidecarClass": "Envoy"}).findings
    assert finding.id == "unknown-sidecar-class"


def test_a_bootstrap_volume_that_is_no_secret_panics_the_injector() -> None:
    given = pod(volumes=[{"name": "sidecar-bootstrap-config-volume", "emptyDir": {}}])
    assert [item.id for item in seen(given).findings] == ["bootstrap-volume", "already-injected"]


def test_a_namespace_that_nobody_shows_is_assumed_to_be_enrolled() -> None:
    result = preview(pod(), mesh=mesh(), proxy_id=ID)
    assert result.decision.inject
    assert [item.as_text() for item in result.findings] == [
        "info: namespace default is not in the input: assumed to be enrolled [namespace-assumed]"
    ]


def test_the_namespace_of_the_pod_is_the_one_that_is_assumed() -> None:
    given = pod()
    given["metadata"]["namespace"] = "bank"
    (only,) = preview(given, mesh=mesh(), proxy_id=ID).findings
    assert only.message == "namespace bank is not in the input: assumed to be enrolled"


def test_the_bootstrap_secret_is_named_where_it_is_made() -> None:
    assert seen(pod()).secret == f"sidecar-bootstrap-config-{ID}"
    assert seen(pod(), "osm").secret == f"envoy-bootstrap-config-{ID}"
    assert seen(pod(hostNetwork=True)).secret is None


def test_the_service_account_is_the_one_that_kubernetes_fills_in() -> None:
    args = seen(pod(), "osm").pod["spec"]["containers"][-1]["args"]
    assert args[-1] == "default.shop"


def test_each_rule_of_the_script_is_shown_beside_its_reason() -> None:
    """The reasons stand below each other, but behind a rule that is longer than most."""
    lines = list(script_lines(seen(pod()).interception))
    assert lines[0] == (
        "-A FSM_PROXY_IN_REDIRECT -p tcp -j REDIRECT --to-port 15003               "
        "# intercepted inbound traffic goes to the sidecar's inbound listener"
    )
    assert (
        "-A FSM_PROXY_OUTBOUND -o lo ! -d 127.0.0.1/32 -m owner --uid-owner 1500 "
        "-j FSM_PROXY_IN_REDIRECT  # the sidecar calls its own pod through a service: treat it as "
        "inbound"
    ) in lines
    assert min(line.index("  # ") for line in lines) == 72
