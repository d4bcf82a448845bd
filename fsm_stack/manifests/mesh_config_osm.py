"""MeshConfig of osm-edge and OSM, ``config.openservicemesh.io/v1alpha2``, from the same settings.

Canonical in the same sense as FSM's: complete, in the form of upstream's Go types. Where a chart's
default differs from FSM's, it counts for settings that the stack file does not set. Source:
flomesh-io/osm-edge f0c7a18c and openservicemesh/osm 7bec5b6b, pkg/apis/config/v1alpha2,
charts/osm and cmd/osm-bootstrap/crds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.manifests.mesh_config import sections
from fsm_stack.settings.models.mesh import SUPPORTED
from fsm_stack.settings.models.traffic import effective_mode
from fsm_stack.systems import OSM, OSM_EDGE

if TYPE_CHECKING:
    from fsm_stack.settings.models.mesh import MeshSettings
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json

# Source: osm-edge's charts/osm/values.yaml, osm.sidecarDrivers.
OSM_EDGE_PIPY_IMAGE: Final = "flomesh/pipy:0.90.3-38"
OSM_EDGE_ENVOY_IMAGE: Final = "envoyproxy/envoy:v1.19.3"
_OSM_EDGE_ENVOY_PORT: Final = 15128

# Defaults of both CRDs, which the API server fills in.
_TLS_DEFAULTS: Final = {
    "tlsMinProtocolVersion": "TLSv1_2",
    "tlsMaxProtocolVersion": "TLSv1_3",
}
AUTHORIZATION_DEFAULTS: Final = {"statPrefix": "inboundExtAuthz", "timeout": "1s"}


def _known(value: Json, supported: frozenset[str], prefix: str = "") -> Json:
    """What of the settings a system has, by its paths in :data:`SUPPORTED`."""
    kept: Json = {}
    for key, item in value.items():
        path = f"{prefix}{key}"
        if path in supported:
            kept[key] = item
        elif isinstance(item, dict) and (inner := _known(item, supported, f"{path}.")):
            kept[key] = inner
    return kept


def _settings(mesh: MeshSettings, system: System) -> Json:
    """The settings that a system has, under its names, with its CRD's defaults."""
    settings = _known(sections(mesh), SUPPORTED[system.name])
    settings["sidecar"] = _TLS_DEFAULTS | settings["sidecar"]
    for key, value in AUTHORIZATION_DEFAULTS.items():
        settings["traffic"]["inboundExternalAuthorization"].setdefault(key, value)
    observability = settings["observability"]
    log_level = observability.pop("fsmLogLevel")
    settings["observability"] = {"osmLogLevel": log_level, "enableDebugServer": False}
    settings["observability"] |= observability
    return settings


def osm_edge_spec(mesh: MeshSettings) -> Json:
    """The complete ``spec`` of osm-edge's MeshConfig, without an init image: its injector has one.

    What osm-edge does not have is left out; :func:`fsm_stack.settings.models.mesh.not_in_system`
    names it.
    """
    spec = _settings(mesh, OSM_EDGE)
    sidecar, flags = spec["sidecar"], spec["featureFlags"]
    if "config_resync_interval" not in mesh.sidecar.model_fields_set:
        sidecar["configResyncInterval"] = "90s"
    if "enable_access_control_policy" not in mesh.feature_flags.model_fields_set:
        flags["enableAccessControlPolicy"] = False
    disabled = sidecar.pop("sidecarDisabledMTLS")
    port = spec["repoServer"].pop("port")
    sidecar |= {
        "sidecarClass": "pipy",
        "sidecarDrivers": [
            _driver("pipy", OSM_EDGE_PIPY_IMAGE, port, disabled=disabled),
            _driver("envoy", OSM_EDGE_ENVOY_IMAGE, _OSM_EDGE_ENVOY_PORT, disabled=disabled),
        ],
        "localDNSProxy": sidecar.pop("localDNSProxy"),
    }
    mode = effective_mode(mesh.traffic.interception_mode, OSM_EDGE.name)
    spec["traffic"] = {"interceptionMode": mode} | spec["traffic"]
    spec["featureFlags"] = {"enableWASMStats": False} | flags
    return spec


def _driver(name: str, image: str, port: int, *, disabled: bool) -> Json:
    return {
        "sidecarName": name,
        "sidecarImage": image,
        "proxyServerPort": port,
        "sidecarDisabledMTLS": disabled,
    }


def osm_spec(mesh: MeshSettings) -> Json:
    """The complete ``spec`` of OSM's MeshConfig, without images: its injector has them.

    What OSM does not have is left out; :func:`fsm_stack.settings.models.mesh.not_in_system` names
    it.
    """
    spec = _settings(mesh, OSM)
    spec["traffic"].pop("interceptionMode", None)
    flags = spec["featureFlags"]
    if "enable_egress_policy" not in mesh.feature_flags.model_fields_set:
        flags["enableEgressPolicy"] = False  # the chart's preset does not carry this value on
    spec["featureFlags"] = {
        "enableWASMStats": True,
        "enableEnvoyActiveHealthChecks": flags.pop("enableSidecarActiveHealthChecks"),
        "enableMeshRootCertificate": False,
    } | flags
    return spec
