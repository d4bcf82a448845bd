from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.manifests.mesh_config_osm import osm_edge_spec, osm_spec
from tests.settings.mesh_config.shorthand import mesh

LISTS = {
    "outboundIPRangeExclusionList": ["1.1.1.1/32"],
    "outboundIPRangeInclusionList": [{"value": "10.96.0.0/16", "reason": "services"}],
    "outboundPortExclusionList": [6379, 7070],
    "inboundPortExclusionList": [9091],
    "networkInterfaceExclusionList": ["net1"],
}
LOWERED = LISTS | {"outboundIPRangeInclusionList": ["10.96.0.0/16"]}
AUTHORIZATION = {
    "enable": False,
    "failureModeAllow": False,
    "statPrefix": "inboundExtAuthz",
    "timeout": "1s",
}


def test_osm_edges_defaults_are_its_charts() -> None:
    """Checked with the Go types of osm-edge f0c7a18c: decoded and written back unchanged."""
    spec = osm_edge_spec(mesh())
    chains = spec.pop("pluginChains")
    assert [plugin["priority"] for plugin in chains["inbound-tcp"]] == [130, 120, 110, 100]
    assert spec == {
        "clusterSet": {"properties": []},
        "sidecar": {
            "tlsMinProtocolVersion": "TLSv1_2",
            "tlsMaxProtocolVersion": "TLSv1_3",
            "enablePrivilegedInitContainer": False,
            "logLevel": "error",
            "configResyncInterval": "90s",
            "sidecarTimeout": 60,
            "resources": {},
            "localProxyMode": "Localhost",
            "sidecarClass": "pipy",
            "sidecarDrivers": [
                {
                    "sidecarName": "pipy",
                    "sidecarImage": "flomesh/pipy:0.90.3-38",
                    "proxyServerPort": 6060,
                    "sidecarDisabledMTLS": False,
                },
                {
                    "sidecarName": "envoy",
                    "sidecarImage": "envoyproxy/envoy:v1.19.3",
                    "proxyServerPort": 15128,
                    "sidecarDisabledMTLS": False,
                },
            ],
            "localDNSProxy": {"enable": False},
        },
        "repoServer": {"ipaddr": "127.0.0.1", "codebase": ""},
        "traffic": {
            "interceptionMode": "iptables",
            "enableEgress": True,
            "outboundIPRangeExclusionList": [],
            "outboundIPRangeInclusionList": [],
            "outboundPortExclusionList": [],
            "inboundPortExclusionList": [],
            "enablePermissiveTrafficPolicyMode": True,
            "inboundExternalAuthorization": AUTHORIZATION,
            "networkInterfaceExclusionList": [],
            "http1PerRequestLoadBalancing": False,
            "http2PerRequestLoadBalancing": True,
        },
        "observability": {
            "osmLogLevel": "info",
            "enableDebugServer": False,
            "tracing": {"enable": False},
            "remoteLogging": {"enable": False},
        },
        "certificate": {"serviceCertValidityDuration": "24h", "certKeyBitSize": 2048},
        "featureFlags": {
            "enableWASMStats": False,
            "enableEgressPolicy": True,
            "enableSnapshotCacheMode": False,
            "enableAsyncProxyServiceMapping": False,
            "enableIngressBackendPolicy": True,
            "enableAccessControlPolicy": False,
            "enableAccessCertPolicy": False,
            "enableSidecarActiveHealthChecks": False,
            "enableRetryPolicy": False,
            "enablePluginPolicy": False,
        },
    }


def test_osms_defaults_are_its_charts() -> None:
    """Checked with the Go types of OSM 7bec5b6b: decoded and written back unchanged."""
    assert osm_spec(mesh()) == {
        "sidecar": {
            "tlsMinProtocolVersion": "TLSv1_2",
            "tlsMaxProtocolVersion": "TLSv1_3",
            "enablePrivilegedInitContainer": False,
            "logLevel": "error",
            "configResyncInterval": "0s",
            "resources": {},
            "localProxyMode": "Localhost",
        },
        "traffic": {
            "enableEgress": True,
            "outboundIPRangeExclusionList": [],
            "outboundIPRangeInclusionList": [],
            "outboundPortExclusionList": [],
            "inboundPortExclusionList": [],
            "enablePermissiveTrafficPolicyMode": True,
            "inboundExternalAuthorization": AUTHORIZATION,
            "networkInterfaceExclusionList": [],
        },
        "observability": {
            "osmLogLevel": "info",
            "enableDebugServer": False,
            "tracing": {"enable": False},
        },
        "certificate": {"serviceCertValidityDuration": "24h", "certKeyBitSize": 2048},
        "featureFlags": {
            "enableWASMStats": True,
            "enableEnvoyActiveHealthChecks": False,
            "enableMeshRootCertificate": False,
            "enableEgressPolicy": False,
            "enableSnapshotCacheMode": False,
            "enableAsyncProxyServiceMapping": False,
            "enableIngressBackendPolicy": True,
            "enableRetryPolicy": False,
        },
    }


@pytest.mark.requirement("C7", "C9", "C10", "C11", "C20")
@pytest.mark.parametrize("lower", [osm_edge_spec, osm_spec])
def test_the_five_lists_are_the_same_in_every_system(lower: Any) -> None:
    traffic = lower(mesh(traffic=LISTS))["traffic"]
    assert {name: traffic[name] for name in LOWERED} == LOWERED


def test_a_setting_of_the_file_counts_more_than_another_charts_default() -> None:
    given = mesh(
        sidecar={"configResyncInterval": "0s"},
        featureFlags={"enableAccessControlPolicy": True, "enableEgressPolicy": True},
    )
    edge = osm_edge_spec(given)
    assert edge["sidecar"]["configResyncInterval"] == "0s"
    assert edge["featureFlags"]["enableAccessControlPolicy"] is True
    assert osm_spec(given)["featureFlags"]["enableEgressPolicy"] is True


def test_settings_under_other_names_are_carried_over() -> None:
    given = mesh(
        repoServer={"port": 6061, "ipaddr": "10.0.0.1"},
        sidecar={"sidecarDisabledMTLS": True},
        observability={"fsmLogLevel": "debug"},
        featureFlags={"enableSidecarActiveHealthChecks": True},
        traffic={"inboundExternalAuthorization": {"enable": True, "timeout": "3s"}},
    )
    edge = osm_edge_spec(given)
    assert "initContainerImage" not in edge["sidecar"]
    assert edge["sidecar"]["sidecarDrivers"][0] == {
        "sidecarName": "pipy",
        "sidecarImage": "flomesh/pipy:0.90.3-38",
        "proxyServerPort": 6061,
        "sidecarDisabledMTLS": True,
    }
    assert edge["repoServer"] == {"ipaddr": "10.0.0.1", "codebase": ""}
    assert edge["observability"]["osmLogLevel"] == "debug"
    osm = osm_spec(given)
    assert osm["featureFlags"]["enableEnvoyActiveHealthChecks"] is True
    assert not osm["sidecar"].keys() & {"envoyImage", "initContainerImage"}
    assert osm["traffic"]["inboundExternalAuthorization"] == {
        "enable": True,
        "failureModeAllow": False,
        "statPrefix": "inboundExtAuthz",
        "timeout": "3s",
    }


def test_the_local_dns_proxy_of_osm_edge_is_lowered() -> None:
    """It adds a rule to the script there."""
    proxy = {"enable": True, "primaryUpstreamDNSServerIPAddr": "10.96.0.10"}
    assert (
        osm_edge_spec(mesh(sidecar={"localDNSProxy": proxy}))["sidecar"]["localDNSProxy"] == proxy
    )
