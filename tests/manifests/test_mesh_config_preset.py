from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as configured

from fsm_stack.manifests.mesh_config import mesh_config_spec, preset_mesh_config
from tests.recordings import recordings
from tests.settings.mesh_config.shorthand import mesh
from tests.settings.mesh_config.strategies import mesh_data

from .test_mesh_config import IMAGES

ROOT = Path(__file__).resolve().parents[2]
CHART = recordings("FSM_STACK_CHART_CORPUS", "chart")

# The settings that mean the chart's values of each recorded rendering; images are arguments.
RENDERED: dict[str, dict[str, Any]] = {
    "default": {},
    "lists": {
        "traffic": {
            "outboundIPRangeExclusionList": ["1.1.1.1/32", "2.2.2.0/24"],
            "outboundIPRangeInclusionList": ["10.244.0.0/16", "10.96.0.0/16"],
            "outboundPortExclusionList": [6379, 7070],
            "inboundPortExclusionList": [9091],
            "networkInterfaceExclusionList": ["net1", "net2"],
        },
        "sidecar": {"localProxyMode": "PodIP", "enablePrivilegedInitContainer": True},
    },
    "custom": {
        "traffic": {
            "enablePermissiveTrafficPolicyMode": False,
            "enableEgress": False,
            "serviceAccessMode": "domain",
        },
        "certificate": {"serviceCertValidityDuration": "12h", "certKeyBitSize": 4096},
        "sidecar": {"logLevel": "debug", "holdApplicationUntilProxyStarts": False},
        "warmup": {"enable": True, "duration": "60s", "minWeight": 20},
        "clusterSet": {"name": "prod-eu", "region": "eu", "zone": "eu-1"},
    },
    "ha": {"observability": {"fsmLogLevel": "debug"}},
}


def chart_preset(name: str) -> dict[str, Any]:
    """The preset of one recorded rendering of the chart."""
    path = CHART / f"{name}.objects.yaml"
    if not path.exists():
        pytest.skip(f"no {path.name} in {CHART}: set FSM_STACK_CHART_CORPUS")
    documents = yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    (config_map,) = (
        document
        for document in documents
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] == "preset-mesh-config"
    )
    return dict(json.loads(config_map["data"]["preset-mesh-config.json"]))


def without(more: Any, less: Any) -> Any:
    """What one document has beyond another; where both have a value, it must be equal."""
    if isinstance(more, dict) and isinstance(less, dict):
        assert less.keys() <= more.keys()
        rest = {key: without(more[key], value) for key, value in less.items()}
        rest |= {key: value for key, value in more.items() if key not in less}
        return {key: value for key, value in rest.items() if value is not None} or None
    if isinstance(more, list) and isinstance(less, list):
        assert len(more) == len(less)
        rest = [without(*pair) for pair in zip(more, less, strict=True)]
        return rest if any(item is not None for item in rest) else None
    assert more == less
    return None


@pytest.mark.requirement("C7", "C9", "C10", "C11", "C20")
@pytest.mark.parametrize("name", RENDERED)
def test_the_preset_has_all_that_the_charts_has(name: str) -> None:
    """And beyond it only what Go or the API server would fill in anyway."""
    chart = chart_preset(name)
    settings = mesh(**RENDERED[name])
    spec = mesh_config_spec(
        settings,
        image=chart["image"],
        sidecar_image=chart["sidecar"]["sidecarImage"],
        repo_server_image=chart["misc"]["repoServerImage"],
        endpoint_slices=True,
        uid=chart["clusterSet"]["uid"],
    )
    preset = preset_mesh_config(settings, spec)
    beyond = without(json.loads(preset), chart)
    disable = {"disable": False}
    assert beyond == {
        "connector": {
            "lb": {"type": "ActiveActive"},
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
        },
        "pluginChains": {
            "inbound-http": [disable] * 9,
            "outbound-http": [disable] * 7,
            "outbound-tcp": [disable] * 3,
        },
        "sidecar": {
            "resources": {},
            "initResources": {},
            "healthcheckResources": {},
            # The chart's preset decodes to port 0, which FSM reads as 53 (pkg/sidecar/v2/dns.go).
            "xnetDNSProxy": {"upstreams": [{"port": 53}]},
        },
        "traffic": {
            "inboundExternalAuthorization": {"enable": False, "failureModeAllow": False},
            "serviceAccessNames": {
                "withTrustDomain": True,
                "mustWithNamespace": True,
                "cloud": {"withNamespace": True},
            },
        },
        "warmup": {"aggression": 1},
    }


@given(mesh_data())
@configured(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_preset_means_the_same_mesh(data: dict[str, Any]) -> None:
    """It differs from the MeshConfig in spelling and in what bootstrap drops when it reads it."""
    settings = mesh(**data)
    spec = mesh_config_spec(settings, **IMAGES)
    preset = json.loads(preset_mesh_config(settings, mesh_config_spec(settings, **IMAGES)))
    duration = preset["warmup"].pop("duration")
    assert duration == settings.warmup.duration
    spec["warmup"].pop("duration")
    beyond = without(preset, spec) or {}
    assert set(beyond) <= {"sidecar"}
    dns = beyond["sidecar"].pop("localDNSProxy")
    assert dns.pop("searchesWithNamespace") is True
    assert dns.pop("searchesWithTrustDomain") is True
    assert dns in ({}, {"generateIPv6BasedOnIPv4": False})
    zeros = {"maxDataPlaneConnections", "sidecarTimeout"}
    assert set(beyond["sidecar"]) <= zeros
    assert not any(beyond["sidecar"].values())


def test_the_same_settings_give_the_same_text() -> None:
    """The chart puts a random identity into every rendering."""
    one, other = (mesh_config_spec(mesh(), **IMAGES) for _ in range(2))
    assert preset_mesh_config(mesh(), one) == preset_mesh_config(mesh(), other)
