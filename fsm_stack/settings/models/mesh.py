"""Every section of MeshConfig that a user may set; here ``observability``, and other systems' own.

Source: the Go types of config.openservicemesh.io/v1alpha2, flomesh-io/osm-edge f0c7a18c and
openservicemesh/osm 7bec5b6b, pkg/apis/config/v1alpha2/mesh_config.go.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from fsm_stack.lists import KEYS
from fsm_stack.settings.models.base import (
    DnsName,
    Fraction,
    HostName,
    LogLevel,
    Model,
    UrlPath,
    refusal,
    section,
    setting,
)
from fsm_stack.settings.models.control_plane import (
    Certificate,
    ClusterSet,
    Connector,
    FeatureFlags,
    RepoServer,
)
from fsm_stack.settings.models.gateways import (
    EgressGateway,
    Flb,
    GatewayApi,
    Ingress,
    PluginChains,
    ServiceLb,
)
from fsm_stack.settings.models.sidecar import Sidecar
from fsm_stack.settings.models.traffic import Traffic, Warmup
from fsm_stack.settings.models.values import SmallPort
from fsm_stack.systems import OSM, OSM_EDGE

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


def not_in_system(mesh: "MeshSettings", system_name: str) -> tuple[str, ...]:
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


def _no_secret(value: object) -> None:
    if value is None or value == "":
        return
    raise refusal(
        "secret-value",
        "expected no value: the credentials of remote logging are a secret, and no setting takes "
        "one",
        "Put it into a Secret in the control plane's namespace and name that in "
        "observability.remoteLogging.secretName.",
    )


class Tracing(Model):
    """Where sidecars send traces."""

    enable: bool = setting(False, "Let sidecars send traces.")
    port: SmallPort | None = setting(
        None, "Port of the collector; 9411 where tracing is on and nothing is set."
    )
    address: HostName | None = setting(
        None, "Host of the collector; Jaeger beside the control plane if absent."
    )
    endpoint: UrlPath | None = setting(
        None, "Path at the collector; /api/v2/spans where tracing is on and nothing is set."
    )
    sampled_fraction: Fraction | None = setting(
        None, "Share of requests that are traced, from '0' to '1'; all if absent."
    )


class RemoteLogging(Model):
    """Where sidecars send access logs."""

    enable: bool = setting(False, "Let sidecars send access logs.")
    level: Annotated[int, Field(ge=0, le=2)] | None = setting(
        None, "How much is sent, 0 to 2; 2 where it is on and nothing is set."
    )
    port: SmallPort | None = setting(
        None, "Port of the collector; 30514 where it is on and nothing is set."
    )
    address: HostName | None = setting(None, "Host of the collector.")
    endpoint: UrlPath | None = setting(None, "Path at the collector.")
    authorization: SkipJsonSchema[Annotated[None, BeforeValidator(_no_secret)]] = Field(
        None, exclude=True, description="Not a setting: credentials belong into secretName."
    )
    sampled_fraction: Fraction | None = setting(
        None,
        "Share of requests that are logged, from '0' to '1'; all where it is on and "
        "nothing is set.",
    )
    secret_name: DnsName = setting(
        "fsm-remote-logging-secret",
        "The Secret with the collector's credentials, beside the control plane.",
    )


class Observability(Model):
    """Logs and traces."""

    fsm_log_level: LogLevel = setting("info", "How much the control plane logs.")
    tracing: Tracing = section(Tracing, "Traces of requests.")
    remote_logging: RemoteLogging = section(RemoteLogging, "Access logs of sidecars.")


class MeshSettings(Model):
    """The mesh-wide settings, section by section, in the order of upstream's Go type.

    The defaults are those of FSM's chart. Not here, because other settings decide them: the
    sections ``image`` and ``misc``, and ``sidecar.sidecarImage``. Source: flomesh-io/fsm f1b55bd8,
    pkg/apis/config/v1alpha3 and charts/fsm.
    """

    cluster_set: ClusterSet = section(ClusterSet, "The cluster's place among others.")
    sidecar: Sidecar = section(Sidecar, "The proxy beside each application.")
    repo_server: RepoServer = section(RepoServer, "The repository of Pipy scripts.")
    traffic: Traffic = section(Traffic, "What is redirected, and routing.")
    warmup: Warmup = section(Warmup, "Warm-up of new endpoints.")
    observability: Observability = section(Observability, "Logs and traces.")
    certificate: Certificate = section(Certificate, "Certificates of services.")
    feature_flags: FeatureFlags = section(FeatureFlags, "Switches of features.")
    plugin_chains: PluginChains = section(PluginChains, "Modules of sidecars.")
    ingress: Ingress = section(Ingress, "FSM's ingress controller.")
    gateway_api: GatewayApi = section(
        GatewayApi, "FSM's Gateway API controller.", alias="gatewayAPI"
    )
    service_lb: ServiceLb = section(ServiceLb, "FSM's service load balancer.", alias="serviceLB")
    flb: Flb = section(Flb, "Flomesh's external load balancer.")
    egress_gateway: EgressGateway = section(EgressGateway, "FSM's egress gateway.")
    connector: Connector = section(Connector, "Connectors to other registries.")
