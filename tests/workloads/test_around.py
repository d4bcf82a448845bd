"""What stands around the application: jobs, other injectors, admission, other meshes' keys."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.workload import AROUND
from fsm_stack.workloads.preview import preview
from tests.given import ID, container, found, mesh, namespace, pod, probe

from .test_stream import outcomes

PORTS_IN = "flomesh.io/inbound-port-exclusion-list"
PORTS_OUT = "flomesh.io/outbound-port-exclusion-list"
VAULT = "vault.hashicorp.com/agent-inject"
INIT = {"name": "fsm-init", "image": "flomesh/fsm-sidecar-init:1"}
AGENT = {"name": "vault-agent-init", "image": "hashicorp/vault:1"}
SIDECAR = container("sidecar")


def job(**spec: Any) -> dict[str, Any]:
    given = pod(**spec)
    given["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "x", "controller": True}]
    return given


def labelled(**labels: str) -> dict[str, Any]:
    given = pod()
    given["metadata"]["labels"] = {
        f"flomesh.io/{key.replace('_', '-')}": value for key, value in labels.items()
    }
    return given


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    (
        "init-redirected",
        pod(initContainers=[INIT, AGENT], containers=[container(), SIDECAR]),
        "init container vault-agent-init runs after fsm-init: what it sends is redirected to a "
        "sidecar that does not run yet",
    ),
    (
        "init-redirected",
        pod({VAULT: "true"}),
        f"annotation {VAULT}: init container vault-agent-init, which Vault's injector adds, may "
        "run after fsm-init: what it sends is redirected to a sidecar that does not run yet",
    ),
    (
        "never-completes",
        job(restartPolicy="OnFailure"),
        "a Job's pod: the sidecar runs on after the application has ended, so the pod never "
        "completes",
    ),
    (
        "never-completes",
        pod(restartPolicy="Never"),
        "restartPolicy Never: the sidecar runs on after the application has ended, so the pod "
        "never completes",
    ),
    (
        "probe-added-later",
        pod({"dapr.io/enabled": "true"}),
        "annotation dapr.io/enabled: the probes of daprd, which Dapr's injector adds, ask port "
        "3501; added after this mesh's injector, they are redirected and not rewritten",
    ),
    (
        "probe-added-later",
        pod(
            initContainers=[INIT],
            containers=[
                container(**probe(httpGet={"port": 15902})),
                container("daprd", **probe("liveness", httpGet={"port": 3501})),
                SIDECAR,
            ],
        ),
        "container daprd: the liveness probe asks port 3501, which is redirected, and is not "
        "rewritten although the pod is injected",
    ),
    (
        "docker-in-docker",
        pod(containers=[container(image="registry.example:5000/docker:26-dind")]),
        "container web runs a Docker engine: what its containers send enters the pod through "
        "docker0 and is taken for inbound",
    ),
    (
        "docker-in-docker",
        pod(containers=[container(command=["/usr/bin/dockerd"])]),
        "container web runs a Docker engine: what its containers send enters the pod through "
        "docker0 and is taken for inbound",
    ),
    (
        "annotation-as-label",
        labelled(sidecar_injection="enabled"),
        "label flomesh.io/sidecar-injection: FSM's injector reads it among the annotations only",
    ),
    (
        "foreign-mesh-key",
        pod({"traffic.sidecar.istio.io/excludeOutboundPorts": "5432"}),
        "annotation traffic.sidecar.istio.io/excludeOutboundPorts is Istio's and has no effect in "
        f"this mesh; here it is the annotation {PORTS_OUT}",
    ),
    (
        "foreign-mesh-key",
        pod({"config.linkerd.io/opaque-ports": "3306"}),
        "annotation config.linkerd.io/opaque-ports is Linkerd's and has no effect in this mesh",
    ),
]
CLEAN: list[tuple[str, dict[str, Any]]] = [
    ("init-redirected", pod(initContainers=[AGENT])),
    (
        "init-redirected",
        pod(initContainers=[INIT, AGENT | {"securityContext": {"runAsUser": 1500}}]),
    ),
    ("init-redirected", pod({VAULT: "true", "vault.hashicorp.com/agent-init-first": "true"})),
    ("init-redirected", pod({VAULT: "true", "vault.hashicorp.com/agent-pre-populate": "false"})),
    ("init-redirected", pod({VAULT: "true", "vault.hashicorp.com/agent-run-as-user": "1500"})),
    ("init-redirected", pod({VAULT: "true", PORTS_OUT: "8200"})),
    (
        "init-redirected",
        pod({VAULT: "true", PORTS_OUT: "8300", "vault.hashicorp.com/service": "https://v:8300"}),
    ),
    ("never-completes", pod()),
    ("probe-added-later", pod({"dapr.io/enabled": "true", PORTS_IN: "3501"})),
    (
        "probe-added-later",
        pod(containers=[container(**probe(httpGet={"port": 8080}))]),
    ),
    ("docker-in-docker", pod(containers=[container(image="example.com/dind/web:1")])),
    ("annotation-as-label", labelled(monitored_by="fsm")),
    (
        "foreign-mesh-key",
        pod({"linkerd.io/inject": "enabled", "flomesh.io/sidecar-injection": "enabled"}),
    ),
    ("foreign-mesh-key", pod({"notistio.io/inject": "true", "example.com/istio.io": "x"})),
]


@pytest.mark.parametrize(("rule_id", "given", "message"), BROKEN)
def test_what_is_wrong_is_said(rule_id: str, given: dict[str, Any], message: str) -> None:
    assert found(given)[rule_id] == message
    assert rule(rule_id).fix


@pytest.mark.parametrize(("rule_id", "given"), CLEAN)
def test_what_is_right_is_not(rule_id: str, given: dict[str, Any]) -> None:
    assert rule_id not in found(given)


@pytest.mark.parametrize(
    ("rule_id", "given"),
    [
        (row[0], row[1])
        for row in BROKEN
        if row[0] not in {"annotation-as-label", "foreign-mesh-key"}
    ],
)
def test_a_pod_outside_of_the_mesh_has_none_of_it(rule_id: str, given: dict[str, Any]) -> None:
    metadata = given["metadata"]
    declined = {"flomesh.io/sidecar-injection": "disabled"} | metadata.get("annotations", {})
    if "initContainers" not in given["spec"]:  # a live pod is injected whatever it says now
        given = given | {"metadata": metadata | {"annotations": declined}}
        assert rule_id not in found(given)


def test_a_job_that_may_signal_the_sidecar_is_only_told() -> None:
    known = mesh()
    result = preview(
        job(shareProcessNamespace=True), mesh=known, namespace=namespace(of=known), proxy_id=ID
    )
    assert [item.severity for item in result.findings if item.id == "never-completes"] == ["info"]


def test_an_excluded_bridge_is_no_finding() -> None:
    for pattern in ("docker0", "docker+"):
        traffic = {"networkInterfaceExclusionList": [pattern]}
        given = pod(containers=[container(image="docker:dind")])
        assert "docker-in-docker" not in found(given, traffic=traffic)


@pytest.mark.parametrize(
    ("level", "refused"), [("baseline", True), ("restricted", True), ("privileged", False)]
)
def test_pod_security_of_the_namespace_counts(level: str, refused: bool) -> None:  # noqa: FBT001  # the row's
    known = mesh()
    place = namespace(of=known, labels={"pod-security.kubernetes.io/enforce": level})
    result = preview(pod(), mesh=known, namespace=place, proxy_id=ID)
    messages = [item.message for item in result.findings if item.id == "pod-security"]
    assert (
        messages
        == [
            f"namespace shop enforces pod security {level}, which refuses fsm-init (NET_ADMIN): no "
            "pod is created"
        ]
        * refused
    )


def test_an_overwritten_annotation_is_said_where_metrics_are_enabled() -> None:
    known = mesh()
    given = pod({"prometheus.io/scrape": "true", "prometheus.io/port": "7000"})
    for metrics, count in (("enabled", 1), ("disabled", 0)):
        place = namespace(of=known, metrics=metrics)
        result = preview(given, mesh=known, namespace=place, proxy_id=ID)
        messages = [i.message for i in result.findings if i.id == "annotation-overwritten"]
        assert (
            messages
            == [
                "annotation prometheus.io/port: the injector writes '15010' over '7000': the "
                "application's own metrics are scraped no more"
            ]
            * count
        )


STALE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {openservicemesh.io/monitored-by: fsm}
  annotations: {openservicemesh.io/sidecar-injection: enabled}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations: {openservicemesh.io/outbound-port-exclusion-list: "80"}
spec: {containers: [{name: web, image: x}]}
"""


def test_all_old_keys_are_named_in_one_round() -> None:
    ids = [item.id for outcome in outcomes(STALE) for item in outcome.findings()]
    assert ids == [
        "label-other-mesh",
        "annotation-other-mesh",
        "not-injected",
        "annotation-other-mesh",
    ]
    theirs = STALE.replace("monitored-by: fsm", "monitored-by: osm")
    ids = [item.id for outcome in outcomes(theirs) for item in outcome.findings()]
    assert ids == ["not-injected"]


@pytest.mark.parametrize(
    ("labels", "annotations", "ids"),
    [
        ("flomesh.io/monitored-by: fsm", "flomesh.io/sidecar-injection: enabled", []),
        ("a: b", "flomesh.io/monitored-by: fsm", ["label-as-annotation"]),
        ("flomesh.io/sidecar-injection: enabled", "a: b", ["annotation-as-label"]),
        ("istio-injection: enabled", "a: b", ["foreign-mesh-key"]),
    ],
)
def test_a_namespaces_keys_stand_in_the_right_map(
    labels: str, annotations: str, ids: list[str]
) -> None:
    text = (
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"
        f"  labels: {{{labels}}}\n  annotations: {{{annotations}}}\n"
    )
    (only,) = outcomes(text)
    assert [item.id for item in only.findings()] == ids


def test_every_rule_of_the_topic_has_a_test() -> None:
    named = {row[0] for row in BROKEN} | {
        "excluded-one-way", "quota-refuses",  # in the tests of what stands beside workloads
        "pod-security", "annotation-overwritten", "label-other-mesh", "label-as-annotation",
    }  # fmt: skip
    assert {known.id for known in AROUND} == named


def test_a_refused_value_hides_no_other_finding() -> None:
    """Two bad lists, a bad switch and a probe: one run tells all of them."""
    given = pod(
        {
            PORTS_OUT: "80,x,y",
            PORTS_IN: "z",
            "flomesh.io/sidecar-injection": "on",
        },
        containers=[container(**probe(httpGet={"port": "no"}))],
    )
    ids = set(found(given))
    assert {"invalid-port", "injection-value", "probe-port-unknown"} <= ids
    known = mesh()
    result = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert result.decision.outcome == "refuse"
    paths = {item.place.path for item in result.findings if item.id == "invalid-port"}
    assert paths == {f"metadata.annotations.{key}" for key in (PORTS_IN, PORTS_OUT)}


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {flomesh.io/sidecar-injection: enabled}
  annotations:
    flomesh.io/outbound-port-exclusion-list: "70000"
spec:
  template:
    spec: {containers: [{name: web, image: x}]}
"""


def test_a_misplaced_annotations_value_is_checked_too() -> None:
    (only,) = outcomes(DEPLOYMENT)
    assert [(item.id, item.place.line) for item in only.findings()] == [
        ("annotation-as-label", 6),
        ("annotation-misplaced", 8),
        ("invalid-port", 8),
        ("namespace-assumed", 10),
    ]
    (right,) = outcomes(DEPLOYMENT.replace("70000", "6379"))
    assert "invalid-port" not in {item.id for item in right.findings()}
