from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as configured

from fsm_stack.manifests.mesh_config import mesh_config_object, mesh_config_spec
from fsm_stack.settings.models.stack import StackSettings
from tests.manifests.stacks import named
from tests.settings.mesh_config.shorthand import mesh
from tests.settings.mesh_config.strategies import mesh_data
from tests.settings.mesh_config.upstream import defaulted, problems, upstream_spec_schema

IMAGES: dict[str, Any] = {
    "image": {
        "registry": "flomesh",
        "tag": "1.5.1",
        "name": {"fsmController": "fsm-controller"},
        "digest": {"fsmController": ""},
        "pullPolicy": "IfNotPresent",
    },
    "sidecar_image": "flomesh/pipy:1.5.12",
    "repo_server_image": "flomesh/pipy-repo:1.5.12",
    "endpoint_slices": True,
    "uid": "0b0f5a6e-0000-5000-8000-000000000000",
}


def spec(**sections: Any) -> dict[str, Any]:
    return mesh_config_spec(mesh(**sections), **IMAGES)


@pytest.mark.requirement("C7", "C9", "C10", "C11", "C20")
def test_reasons_stay_in_the_stack_file() -> None:
    """The guide's examples, mesh-wide."""
    traffic = spec(
        traffic={
            "interceptionMode": "NodeLevel",
            "outboundIPRangeExclusionList": ["1.1.1.1/32", {"value": "2.2.2.2/24", "reason": "x"}],
            "outboundIPRangeInclusionList": ["10.96.0.0/16"],
            "outboundPortExclusionList": [6379, {"value": 7070, "owner": "team-a"}],
            "inboundPortExclusionList": [{"value": 9091, "until": "2027-01-31"}],
            "networkInterfaceExclusionList": ["net1", "net2"],
        }
    )["traffic"]
    assert traffic == {
        "interceptionMode": "NodeLevel",
        "enableEgress": True,
        "outboundIPRangeExclusionList": ["1.1.1.1/32", "2.2.2.2/24"],
        "outboundIPRangeInclusionList": ["10.96.0.0/16"],
        "outboundPortExclusionList": [6379, 7070],
        "inboundPortExclusionList": [9091],
        "enablePermissiveTrafficPolicyMode": True,
        "inboundExternalAuthorization": {"enable": False, "failureModeAllow": False},
        "networkInterfaceExclusionList": ["net1", "net2"],
        "http1PerRequestLoadBalancing": False,
        "http2PerRequestLoadBalancing": True,
        "serviceAccessMode": "mixed",
        "serviceAccessNames": {
            "withTrustDomain": True,
            "mustWithNamespace": True,
            "cloud": {"withNamespace": True},
        },
    }


def test_an_empty_list_is_written_because_upstream_requires_its_key() -> None:
    assert spec()["traffic"]["outboundPortExclusionList"] == []


def test_images_and_identity_come_from_elsewhere() -> None:
    written = spec()
    assert written["image"] == IMAGES["image"]
    assert written["misc"] == {"repoServerImage": "flomesh/pipy-repo:1.5.12"}
    assert written["sidecar"]["sidecarImage"] == "flomesh/pipy:1.5.12"
    assert written["clusterSet"]["uid"] == "0b0f5a6e-0000-5000-8000-000000000000"
    assert spec(clusterSet={"uid": "eu-1"})["clusterSet"]["uid"] == "eu-1"


def test_durations_and_quantities_are_written_as_go_would() -> None:
    """Only ``warmup.duration`` is a metav1.Duration; the other durations are text to Go."""
    written = spec(
        warmup={"duration": "90s", "aggression": 2},
        certificate={"serviceCertValidityDuration": "24h"},
        sidecar={
            "configResyncInterval": "90s",
            "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {}},
        },
    )
    assert written["warmup"]["duration"] == "1m30s"
    assert json.dumps(written["warmup"]["aggression"]) == "2"
    assert written["certificate"]["serviceCertValidityDuration"] == "24h"
    assert written["sidecar"]["configResyncInterval"] == "90s"
    assert written["sidecar"]["resources"] == {"limits": {"cpu": "500m", "memory": "1Gi"}}
    assert written["sidecar"]["initResources"] == {}


def test_what_go_leaves_out_is_left_out() -> None:
    written = spec(
        sidecar={
            "sidecarTimeout": 0,
            "localDNSProxy": {"db": []},
            "xnetDNSProxy": {"upstreams": []},
        },
        observability={"remoteLogging": {"enable": True, "level": 0}},
    )
    sidecar = written["sidecar"]
    assert "sidecarTimeout" not in sidecar
    assert "maxDataPlaneConnections" not in sidecar
    assert "cipherSuites" not in sidecar
    assert sidecar["localDNSProxy"] == {
        "enable": False,
        "wildcard": {"enable": False, "los": [], "ips": [{"ipv4": "127.0.0.2"}]},
    }
    assert sidecar["xnetDNSProxy"] == {"enable": False}
    assert written["observability"]["remoteLogging"] == {
        "enable": True,
        "port": 30514,
        "sampledFraction": "1.0",
        "secretName": "fsm-remote-logging-secret",
    }


def test_a_switched_on_exporter_has_the_charts_values_where_none_are_set() -> None:
    written = spec(
        observability={"tracing": {"enable": True, "port": 14268}, "remoteLogging": {"port": 5}}
    )["observability"]
    assert written["tracing"] == {"enable": True, "port": 14268, "endpoint": "/api/v2/spans"}
    assert written["remoteLogging"] == {
        "enable": False,
        "port": 5,
        "secretName": "fsm-remote-logging-secret",
    }


def test_what_fsm_connector_writes_is_there_and_empty() -> None:
    """Upstream's CRD requires these keys, oddities included."""
    assert spec()["connector"] == {
        "lb": {"type": "ActiveActive"},
        "DO_NOT_EDIT_viaGateway": "viaGateway Managed by fsm-connector-gateway.",
        "viaGateway": {
            "clusterIP": "",
            "externalIP": "",
            "ingressAddr": "",
            "ingressHTTPPort": 0,
            "ingressGRPCPort": 0,
            "egressAddr": "",
            "egressHTTPPort": 0,
            "egressGRPCPort": 0,
        },
    }


@pytest.mark.requirement("C22")
def test_the_object_has_the_fixed_name_in_the_namespace_of_the_settings() -> None:
    assert mesh_config_object({"a": 1}, namespace="mesh-control") == {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "fsm-mesh-config", "namespace": "mesh-control"},
        "spec": {"a": 1},
    }
    other = mesh_config_object({}, namespace="x", system_name="osm")
    assert other["apiVersion"] == "config.openservicemesh.io/v1alpha2"
    assert other["metadata"] == {"name": "osm-mesh-config", "namespace": "x"}


def test_settings_of_the_stack_beside_the_mesh_are_no_sections() -> None:
    assert mesh_config_spec(StackSettings(), **IMAGES) == spec()


def test_upstream_accepts_the_defaults() -> None:
    assert list(problems(upstream_spec_schema(), spec())) == []


def test_a_lenient_spec_would_be_refused_by_upstream() -> None:
    """The judge of the tests above is not blind: this is what makes bootstrap crash-loop."""
    partial = spec()
    del partial["sidecar"]["localDNSProxy"]["wildcard"]["ips"]
    partial["flb"]["upstreamMode"] = ""
    partial["sidecar"]["localDNSProxy"]["searchesWithNamespace"] = True
    assert sorted(problems(upstream_spec_schema(), partial)) == [
        "spec.flb.upstreamMode: '' breaks enum ['NodePort', 'Endpoint']",
        "spec.sidecar.localDNSProxy.searchesWithNamespace: unknown",
        "spec.sidecar.localDNSProxy.wildcard.ips: required",
    ]


def differences(ours: Any, theirs: Any, path: str = "") -> dict[str, Any]:
    """Paths where an object has another value, or one more, with that value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found: dict[str, Any] = {}
        for key, value in theirs.items():
            inner = f"{path}.{key}" if path else key
            found |= differences(ours[key], value, inner) if key in ours else {inner: value}
        return found
    return {} if ours == theirs else {path: theirs}


@given(mesh_data().filter(lambda d: d.get("traffic", {}).get("interceptionMode") != "iptables"))
@configured(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_upstream_accepts_and_keeps_whatever_the_settings_are(data: dict[str, Any]) -> None:
    """Two flags that Go leaves out when false come back as upstream's defaults, as false."""
    written = spec(**data)
    schema = upstream_spec_schema()
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert list(problems(schema, written)) == []
    stored = differences(written, defaulted(schema, written))
    assert not any(stored.values())
    assert set(stored) <= {
        "sidecar.localDNSProxy.generateIPv6BasedOnIPv4",
        "traffic.serviceAccessNames.mustWithServicePort",
    }


@given(mesh_data())
@configured(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_shell_syntax_reaches_a_list_of_the_mesh(data: dict[str, Any]) -> None:
    traffic = spec(**data)["traffic"]
    texts = [
        str(value)
        for name, values in traffic.items()
        if name.endswith("clusionList")
        for value in values
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._:@/+-]+", text) for text in texts)


@pytest.mark.parametrize(
    ("version", "flag", "written"),
    [("1.20", None, False), ("1.21", None, True), ("1.34", None, True), ("1.34", False, False)],
)
def test_endpoint_slices_are_used_where_the_cluster_serves_them(
    *, version: str, flag: bool | None, written: bool
) -> None:
    """As the chart renders it for the cluster's version."""
    flags = {} if flag is None else {"useEndpointSlicesForGateway": flag}
    data = {"cluster": {"kubernetesVersion": version}, "featureFlags": flags}
    spec_of = named(data, "MeshConfig", "fsm-mesh-config").object["spec"]
    assert spec_of["featureFlags"]["useEndpointSlicesForGateway"] is written
    preset = named(data, "ConfigMap", "preset-mesh-config").object["data"]
    assert json.loads(preset["preset-mesh-config.json"])["featureFlags"] == spec_of["featureFlags"]
