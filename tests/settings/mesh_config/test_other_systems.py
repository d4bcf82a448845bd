from __future__ import annotations

import pytest

from fsm_stack.settings.models.mesh import MeshSettings, not_in_system

from .shorthand import mesh

EVERYWHERE = {
    "traffic": {
        "interceptionMode": "iptables",
        "outboundPortExclusionList": [6379],
        "outboundIPRangeExclusionList": ["1.1.1.1/32"],
        "enableEgress": False,
    },
    "sidecar": {"logLevel": "debug", "resources": {"limits": {"cpu": "1"}}},
    "observability": {"fsmLogLevel": "debug", "tracing": {"enable": True}},
    "certificate": {"certKeyBitSize": 4096},
    "featureFlags": {"enableRetryPolicy": True},
}


@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_the_defaults_are_in_every_system(system: str) -> None:
    assert not_in_system(mesh(), system) == ()


@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_what_all_systems_have_is_in_every_system(system: str) -> None:
    assert not_in_system(mesh(**EVERYWHERE), system) == ()


SOME = {
    "clusterSet": {"region": "eu", "properties": [{"name": "a", "value": "b"}]},
    "warmup": {"enable": True, "duration": "60s"},
    "sidecar": {"sidecarTimeout": 30, "initResources": {"limits": {"cpu": "1"}}},
    "certificate": {
        "ingressGateway": {
            "subjectAltNames": ["gateway.example"],
            "validityDuration": "24h",
            "secret": {"name": "a", "namespace": "b"},
        }
    },
    "observability": {"remoteLogging": {"enable": True, "secretName": "logging"}},
    "egressGateway": {"enabled": True},
}


def test_osm_edge_lacks_what_fsm_added() -> None:
    assert not_in_system(mesh(**SOME), "osm-edge") == (
        "clusterSet.region",
        "sidecar.initResources.limits",
        "warmup.enable",
        "warmup.duration",
        "observability.remoteLogging.secretName",
        "egressGateway.enabled",
    )


def test_osm_lacks_what_osm_edge_added_too() -> None:
    assert not_in_system(mesh(**SOME), "osm") == (
        "clusterSet.region",
        "clusterSet.properties",
        "sidecar.sidecarTimeout",
        "sidecar.initResources.limits",
        "warmup.enable",
        "warmup.duration",
        "observability.remoteLogging.enable",
        "observability.remoteLogging.secretName",
        "egressGateway.enabled",
    )


def test_fields_of_a_subclass_are_not_looked_at() -> None:
    class Stack(MeshSettings):
        more: str = "x"

    assert not_in_system(Stack.model_validate_json('{"more": "y"}'), "osm") == ()
