"""MeshConfig of osm-edge and OSM, ``config.openservicemesh.io/v1alpha2``, from the same settings.

Canonical in the same sense as FSM's: complete, in the form of upstream's Go types. Where a chart's
default differs from FSM's, it counts for settings that the stack file does not set. Source:
flomesh-io/osm-edge f0c7a18c and openservicemesh/osm 7bec5b6b, pkg/apis/config/v1alpha2,
charts/osm and cmd/osm-bootstrap/crds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.lists import KEYS
from fsm_stack.manifests.mesh_config import sections
from fsm_stack.settings.models.traffic import effective_mode
from fsm_stack.systems import OSM_EDGE

if TYPE_CHECKING:
    from fsm_stack.settings.models.mesh import MeshSettings
    from fsm_stack.yaml import Json

# Source: osm-edge's charts/osm/values.yaml, osm.sidecarDrivers.
OSM_EDGE_PIPY_IMAGE: Final = "flomesh/pipy:0.90.3-38"
OSM_EDGE_ENVOY_IMAGE: Final = "envoyproxy/envoy:v1.19.3"
_OSM_EDGE_ENVOY_PORT: Final = 15128

_TRAFFIC: Final = (
    "enableEgress",
    "enablePermissiveTrafficPolicyMode",
    "inboundExternalAuthorization",
    *KEYS,
)
_SIDECAR: Final = (
    "enablePrivilegedInitContainer",
    "logLevel",
    "maxDataPlaneConnections",
    "configResyncInterval",
    "sidecarTimeout",
    "resources",
    "tlsMinProtocolVersion",
    "tlsMaxProtocolVersion",
    "cipherSuites",
    "ecdhCurves",
    "localProxyMode",
)
_LOCAL_DNS: Final = (
    "enable",
    "primaryUpstreamDNSServerIPAddr",
    "secondaryUpstreamDNSServerIPAddr",
)
_TRACING: Final = ("enable", "port", "address", "endpoint")
_REMOTE_LOGGING: Final = ("enable", "level", "port", "address", "endpoint", "sampledFraction")
_OSM_EDGE_FLAGS: Final = (
    "enableEgressPolicy",
    "enableSnapshotCacheMode",
    "enableAsyncProxyServiceMapping",
    "enableIngressBackendPolicy",
    "enableAccessControlPolicy",
    "enableAccessCertPolicy",
    "enableSidecarActiveHealthChecks",
    "enableRetryPolicy",
    "enablePluginPolicy",
)
_OSM_FLAGS: Final = (
    "enableEgressPolicy",
    "enableSnapshotCacheMode",
    "enableAsyncProxyServiceMapping",
    "enableIngressBackendPolicy",
    "enableRetryPolicy",
)

# Defaults of both CRDs, which the API server fills in.
_TLS_DEFAULTS: Final = {
    "tlsMinProtocolVersion": "TLSv1_2",
    "tlsMaxProtocolVersion": "TLSv1_3",
}
_AUTHORIZATION_DEFAULTS: Final = {"statPrefix": "inboundExtAuthz", "timeout": "1s"}


def _pick(section: Json, names: tuple[str, ...]) -> Json:
    return {name: value for name, value in section.items() if name in names}


def _traffic(section: Json, *more: str) -> Json:
    traffic = _pick(section, (*_TRAFFIC, *more))
    traffic["inboundExternalAuthorization"] |= {
        key: value
        for key, value in _AUTHORIZATION_DEFAULTS.items()
        if key not in traffic["inboundExternalAuthorization"]
    }
    return traffic


def _sidecar(section: Json) -> Json:
    return _TLS_DEFAULTS | _pick(section, _SIDECAR)


def osm_edge_spec(mesh: MeshSettings) -> Json:
    """The complete ``spec`` of osm-edge's MeshConfig, without an init image: its injector has one.

    What osm-edge does not have is left out; :func:`fsm_stack.settings.models.mesh.not_in_system`
    names it.
    """
    settings = sections(mesh)
    sidecar = _sidecar(settings["sidecar"])
    if "config_resync_interval" not in mesh.sidecar.model_fields_set:
        sidecar["configResyncInterval"] = "90s"
    disabled = mesh.sidecar.sidecar_disabled_mtls
    sidecar |= {
        "sidecarClass": "pipy",
        "sidecarDrivers": [
            _driver("pipy", OSM_EDGE_PIPY_IMAGE, mesh.repo_server.port, disabled=disabled),
            _driver("envoy", OSM_EDGE_ENVOY_IMAGE, _OSM_EDGE_ENVOY_PORT, disabled=disabled),
        ],
        "localDNSProxy": _pick(settings["sidecar"]["localDNSProxy"], _LOCAL_DNS),
    }
    flags = _pick(settings["featureFlags"], _OSM_EDGE_FLAGS)
    if "enable_access_control_policy" not in mesh.feature_flags.model_fields_set:
        flags["enableAccessControlPolicy"] = False
    observability = settings["observability"]
    mode = effective_mode(mesh.traffic.interception_mode, OSM_EDGE.name)
    return {
        "clusterSet": {"properties": settings["clusterSet"]["properties"]},
        "sidecar": sidecar,
        "repoServer": _pick(settings["repoServer"], ("ipaddr", "codebase")),
        "traffic": {"interceptionMode": mode}
        | _traffic(
            settings["traffic"], "http1PerRequestLoadBalancing", "http2PerRequestLoadBalancing"
        ),
        "observability": {
            "osmLogLevel": observability["fsmLogLevel"],
            "enableDebugServer": False,
            "tracing": _pick(observability["tracing"], (*_TRACING, "sampledFraction")),
            "remoteLogging": _pick(observability["remoteLogging"], _REMOTE_LOGGING),
        },
        "certificate": settings["certificate"],
        "featureFlags": {"enableWASMStats": False} | flags,
        "pluginChains": settings["pluginChains"],
    }


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
    settings = sections(mesh)
    given = mesh.feature_flags.model_fields_set
    flags = _pick(settings["featureFlags"], _OSM_FLAGS)
    if "enable_egress_policy" not in given:
        flags["enableEgressPolicy"] = False  # the chart's preset does not carry this value on
    observability = settings["observability"]
    return {
        "sidecar": _sidecar(
            {
                name: value
                for name, value in settings["sidecar"].items()
                if name != "sidecarTimeout"
            }
        ),
        "traffic": _traffic(settings["traffic"]),
        "observability": {
            "osmLogLevel": observability["fsmLogLevel"],
            "enableDebugServer": False,
            "tracing": _pick(observability["tracing"], _TRACING),
        },
        "certificate": settings["certificate"],
        "featureFlags": {
            "enableWASMStats": True,
            "enableEnvoyActiveHealthChecks": settings["featureFlags"][
                "enableSidecarActiveHealthChecks"
            ],
            "enableMeshRootCertificate": False,
        }
        | flags,
    }
