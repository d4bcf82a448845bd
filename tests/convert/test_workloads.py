"""Workloads and namespaces of other meshes, with FSM's labels and annotations."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.convert.workloads import moved
from fsm_stack.injector.annotations import namespace_keys, pod_keys
from fsm_stack.systems import FSM, OSM, OSM_EDGE
from fsm_stack.workloads.lint.foreign import MESHES
from fsm_stack.workloads.rekey import rekeyed, rekeyed_json

# A comment before, behind and between; quotes; a list below; keys that stay.
WEB = """\
# Deployments of the shop
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
    template:
        metadata:
            labels:
                app: 'web'   # as everywhere
            annotations:
                # Redis speaks its own TLS
                openservicemesh.io/outbound-port-exclusion-list: "6379,7070"  # two of them
                example.com/keep: "yes"
                openservicemesh.io/sidecar-injection: enabled
        spec:
            containers:
                - name: web   # the only one
                  image: web:1
"""
MOVED = """\
# Deployments of the shop
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
    template:
        metadata:
            labels:
                app: 'web'   # as everywhere
            annotations:
                # Redis speaks its own TLS
                flomesh.io/outbound-port-exclusion-list: "6379,7070" # two of them
                example.com/keep: "yes"
                flomesh.io/sidecar-injection: "enabled"
        spec:
            containers:
                - name: web   # the only one
                  image: web:1
"""


def written(text: str) -> str:
    value = yaml.safe_load(text)
    result = moved(value)
    return rekeyed(text, result.changes, result.versions)


def pod(annotations: dict[str, Any], labels: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = {"name": "web", "annotations": annotations} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


def annotations_of(value: dict[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """FSM's annotations of a moved pod, and what was told of the others."""
    result = moved(value)
    told = [(one.id, one.message) for one in result.findings if one.id != "setting-renamed"]
    after = json.loads(rekeyed_json(json.loads(json.dumps(value)), result.changes))
    found = after["metadata"].get("annotations", {})
    return {key: text for key, text in found.items() if key.startswith("flomesh.io/")}, told


@pytest.mark.requirement("C38")
def test_osms_annotations_get_fsms_names_and_all_else_stays() -> None:
    assert written(WEB) == MOVED
    assert written(MOVED) == MOVED


@pytest.mark.requirement("C38")
@pytest.mark.parametrize("system", [OSM, OSM_EDGE])
def test_every_annotation_of_osm_and_osm_edge_has_its_name_in_fsm(system: Any) -> None:
    """Of pods and of namespaces: none is lost."""
    for keys, kind in ((pod_keys(system), "Pod"), (namespace_keys(system), "Namespace")):
        values = {key: "enabled" if "list" not in key else "10.0.0.0/8" for key in keys}
        values |= {key: "80" for key in keys if "port-exclusion" in key}
        metadata = {"name": "x", "annotations": values}
        value = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": metadata,
            "spec": {"containers": []},
        }
        result = moved(value)
        assert {one.id for one in result.findings} == {"setting-renamed"}
        names = {key.partition("/")[2] for key in keys}
        assert {change.to_key for change in result.changes} == {f"flomesh.io/{n}" for n in names}


@pytest.mark.requirement("C38")
def test_namespaces_policies_and_groups_move() -> None:
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata:
      name: shop
      labels:
        openservicemesh.io/monitored-by: osm  # the mesh
  - apiVersion: policy.openservicemesh.io/v1alpha1
    kind: Egress
    metadata: {name: e}
  - apiVersion: flomesh.io/v1alpha1
    kind: ServiceExport
    metadata: {name: s}
  - apiVersion: policy.openservicemesh.io/v1alpha1
    kind: Telemetry
    metadata: {name: t}
  - apiVersion: config.openservicemesh.io/v1alpha2
    kind: MeshConfig
    metadata: {name: osm-mesh-config}
"""
    result = moved(yaml.safe_load(text))
    after = yaml.safe_load(rekeyed(text, result.changes, result.versions))["items"]
    assert after[0]["metadata"]["labels"] == {"flomesh.io/monitored-by": "fsm"}
    assert [one["apiVersion"] for one in after[1:]] == [
        "policy.flomesh.io/v1alpha1",
        "multicluster.flomesh.io/v1alpha1",
        "policy.openservicemesh.io/v1alpha1",
        "config.openservicemesh.io/v1alpha2",
    ]
    assert [one.message for one in result.findings if one.id == "setting-lost"] == [
        "policy.openservicemesh.io/v1alpha1 Telemetry: FSM has no such kind",
        "config.openservicemesh.io/v1alpha2 MeshConfig: give it to fsm-stack convert, for a stack file",
    ]


@pytest.mark.parametrize(
    ("key", "value", "ours", "told"),
    [
        (
            "traffic.sidecar.istio.io/excludeOutboundPorts", "6379, 7070",
            {"outbound-port-exclusion-list": "6379,7070"}, [],
        ),
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8",
            {"outbound-ip-range-inclusion-list": "10.0.0.0/8"}, [],
        ),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "*", {}, []),
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges", "", {},
            [("setting-lost", "an empty list redirects nothing there, and everything in FSM")],
        ),
        (
            "traffic.sidecar.istio.io/excludeOutboundIPRanges", "fd00::/8", {},
            [("ipv6-cidr", "expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'; only IPv4 is intercepted")],
        ),
        (
            "traffic.sidecar.istio.io/excludeInboundPorts", "*", {},
            [("invalid-port", "expected a whole number, got the text '*'")],
        ),
        ("sidecar.istio.io/inject", "false", {"sidecar-injection": "disabled"}, []),
        ("sidecar.istio.io/inject", "maybe", {},
         [("injection-value", "expected a yes or a no, got 'maybe'")]),
        ("sidecar.istio.io/proxyCPU", "100m", {"sidecar-resource-requests-cpu": "100m"}, []),
        ("sidecar.istio.io/rewriteAppHTTPProbers", "true", {},
         [("setting-lost", "FSM has nothing like it")]),
        ("config.linkerd.io/skip-outbound-ports", "25,3306-3308",
         {"outbound-port-exclusion-list": "25,3306,3307,3308"}, []),
        ("config.linkerd.io/skip-inbound-ports", "4000-5000", {},
         [("too-many-ports", "expected at most 15 ports, got 1001")]),
        ("config.linkerd.io/skip-subnets", "10.0.0.0/8", {},
         [("setting-lost", "Linkerd leaves inbound connections from these sources alone; FSM has "
           "lists of destinations only")]),
        ("config.linkerd.io/proxy-await", "enabled",
         {"hold-application-until-proxy-starts": "enabled"}, []),
        ("traffic.kuma.io/exclude-inbound-ports", "1234", {"inbound-port-exclusion-list": "1234"}, []),
        ("kuma.io/sidecar-injection", "disabled", {"sidecar-injection": "disabled"}, []),
        ("consul.hashicorp.com/transparent-proxy-exclude-outbound-cidrs", "10.0.0.0/8",
         {"outbound-ip-range-exclusion-list": "10.0.0.0/8"}, []),
        ("proxy.istio.io/config", "{holdApplicationUntilProxyStarts: true}",
         {"hold-application-until-proxy-starts": "enabled"}, []),
    ],
)  # fmt: skip
def test_annotations_of_other_meshes(
    key: str, value: str, ours: dict[str, str], told: list[tuple[str, str]]
) -> None:
    found, said = annotations_of(pod({key: value}))
    assert found == {f"flomesh.io/{name}": text for name, text in ours.items()}
    assert [rule for rule, _ in said] == [rule for rule, _ in told]
    for (_, message), (_, part) in zip(said, told, strict=True):
        assert message.endswith(part)


def test_what_fsm_cannot_say_stays_in_the_manifest() -> None:
    """Nobody reads it, and whoever looks for it finds it."""
    value = pod({"sidecar.istio.io/proxyImage": "envoy:1"})
    assert moved(value).changes == []


def test_a_namespace_joins_by_its_label_and_annotation() -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    istio-injection: enabled\n"
    result = moved(yaml.safe_load(text), mesh_name="blue")
    after = yaml.safe_load(rekeyed(text, result.changes))["metadata"]
    assert after["labels"] == {"flomesh.io/monitored-by": "blue"}
    assert after["annotations"] == {"flomesh.io/sidecar-injection": "enabled"}


def test_what_is_said_in_both_languages_is_said_once() -> None:
    value = pod({"flomesh.io/outbound-port-exclusion-list": "80",
                 "traffic.sidecar.istio.io/excludeOutboundPorts": "80",
                 "config.linkerd.io/skip-outbound-ports": "81"})  # fmt: skip
    found, said = annotations_of(value)
    assert found == {"flomesh.io/outbound-port-exclusion-list": "80"}
    assert said == [
        (
            "setting-means-less",
            "flomesh.io/outbound-port-exclusion-list is there already and counts: '80', not '81'",
        )
    ]


texts = st.text(st.sampled_from("0123456789,-./*{}: abtrue"), max_size=16)
foreign = st.dictionaries(
    st.sampled_from([*sorted(MESHES), "x.istio.io/y", "openservicemesh.io/zzz", "app"])
    | st.sampled_from(sorted(pod_keys(OSM_EDGE))),
    texts,
    max_size=5,
)


@settings(max_examples=60)
@given(foreign, foreign)
def test_every_key_is_told_and_the_manifest_stays_readable(
    annotations: dict[str, str], labels: dict[str, str]
) -> None:
    value = pod(annotations, labels)
    result = moved(value)
    told = " ".join(line.source for line in result.lines)
    for part, given_ in (("labels", labels), ("annotations", annotations)):
        for key in given_:
            assert key == "app" or f"{part}.{key}" in told
    text = yaml.safe_dump(value, default_style='"')
    after = json.loads(rekeyed_json(json.loads(json.dumps(value)), result.changes))
    assert yaml.safe_load(rekeyed(text, result.changes)) == after
    ours = {
        key for key in after["metadata"].get("annotations", {}) if key.startswith("flomesh.io/")
    }
    assert ours <= pod_keys(FSM)


@pytest.mark.parametrize(
    "key",
    [
        "openservicemesh.io/outbound-port-exclusion-list",
        "traffic.sidecar.istio.io/excludeOutboundPorts",
        "config.linkerd.io/skip-outbound-ports",
    ],
)
def test_another_meshs_key_that_nobody_reads_is_told(key: str) -> None:
    """On the Deployment it did nothing there, and nothing here."""
    manifest = yaml.safe_load(WEB)
    manifest["metadata"]["annotations"] = {key: "6379"}
    manifest["spec"]["template"]["metadata"]["annotations"] = {}
    result = moved(manifest)
    assert [(one.id, one.place.path) for one in result.findings] == [
        ("annotation-misplaced", f"metadata.annotations.{key}")
    ]
    assert result.changes == []
    manifest["spec"]["template"]["metadata"]["annotations"] = {key: "6379"}
    assert "annotation-misplaced" not in {one.id for one in moved(manifest).findings}
