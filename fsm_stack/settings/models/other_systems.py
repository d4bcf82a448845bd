"""Which of FSM's settings osm-edge and OSM have, under the names of the stack file.

Source: the Go types of config.openservicemesh.io/v1alpha2, flomesh-io/osm-edge f0c7a18c and
openservicemesh/osm 7bec5b6b, pkg/apis/config/v1alpha2/mesh_config.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.lists import KEYS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.systems import OSM, OSM_EDGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What both have. The interception mode is judged by check_mode, which names the right value.
_BOTH: Final = frozenset(
    {
        *(f"traffic.{key}" for key in KEYS),
        "traffic.interceptionMode",
        "traffic.enableEgress",
        "traffic.enablePermissiveTrafficPolicyMode",
        "traffic.inboundExternalAuthorization",
        "sidecar.enablePrivilegedInitContainer",
        "sidecar.logLevel",
        "sidecar.maxDataPlaneConnections",
        "sidecar.configResyncInterval",
        "sidecar.resources",
        "sidecar.tlsMinProtocolVersion",
        "sidecar.tlsMaxProtocolVersion",
        "sidecar.cipherSuites",
        "sidecar.ecdhCurves",
        "sidecar.localProxyMode",
        "observability.fsmLogLevel",
        "observability.tracing.enable",
        "observability.tracing.port",
        "observability.tracing.address",
        "observability.tracing.endpoint",
        "certificate",
        "featureFlags.enableEgressPolicy",
        "featureFlags.enableSnapshotCacheMode",
        "featureFlags.enableAsyncProxyServiceMapping",
        "featureFlags.enableIngressBackendPolicy",
        "featureFlags.enableSidecarActiveHealthChecks",
        "featureFlags.enableRetryPolicy",
    }
)

SUPPORTED: Final[Mapping[str, frozenset[str]]] = {
    OSM.name: _BOTH,
    OSM_EDGE.name: _BOTH
    | {
        "clusterSet.properties",
        "repoServer",
        "pluginChains",
        "sidecar.sidecarTimeout",
        "sidecar.sidecarDisabledMTLS",
        "sidecar.localDNSProxy.enable",
        "sidecar.localDNSProxy.primaryUpstreamDNSServerIPAddr",
        "sidecar.localDNSProxy.secondaryUpstreamDNSServerIPAddr",
        "traffic.http1PerRequestLoadBalancing",
        "traffic.http2PerRequestLoadBalancing",
        "observability.tracing.sampledFraction",
        "observability.remoteLogging.enable",
        "observability.remoteLogging.level",
        "observability.remoteLogging.port",
        "observability.remoteLogging.address",
        "observability.remoteLogging.endpoint",
        "observability.remoteLogging.sampledFraction",
        "featureFlags.enableAccessControlPolicy",
        "featureFlags.enableAccessCertPolicy",
        "featureFlags.enablePluginPolicy",
    },
}


def not_in_system(mesh: MeshSettings, system_name: str) -> tuple[str, ...]:
    """Paths that are set away from FSM's default and that the system does not have.

    Args:
        mesh: the settings; fields that a subclass adds are not looked at.
        system_name: ``fsm``, which has all of them, ``osm-edge`` or ``osm``.

    Returns:
        Paths in the stack file, for example ``warmup.duration``; a list is one path.
    """
    supported = SUPPORTED.get(system_name)
    if supported is None:
        return ()
    sections = set(MeshSettings.model_fields)
    ours = mesh.model_dump(mode="json", by_alias=True, include=sections)
    default = MeshSettings.model_construct().model_dump(mode="json", by_alias=True)
    return tuple(_unsupported(ours, default, supported, ""))


def _unsupported(
    ours: Mapping[str, Any], default: Mapping[str, Any], supported: frozenset[str], prefix: str
) -> Iterator[str]:
    for key, value in ours.items():
        path = f"{prefix}{key}"
        usual = default.get(key)
        if value == usual or path in supported:
            continue
        if isinstance(value, dict) and isinstance(usual, dict) and usual:
            yield from _unsupported(value, usual, supported, f"{path}.")
        else:
            yield path
