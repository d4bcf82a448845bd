"""Values of FSM's chart about the mesh: the sections of MeshConfig.

Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0. The chart at 1.5.1
differs in image tags only.
"""

from __future__ import annotations

from typing import Any, Final

from fsm_stack.convert.chart.control_plane import Value, group
from fsm_stack.lists import LISTS

_TRAFFIC: Final = {
    **group(
        "fsm",
        "traffic",
        enableEgress=True,
        enablePermissiveTrafficPolicy=("enablePermissiveTrafficPolicyMode", True),
        http1PerRequestLoadBalancing=False,
        http2PerRequestLoadBalancing=True,
        serviceAccessMode="mixed",
    ),
    **{
        f"fsm.{listed.key}": Value(
            default=[],
            target=f"traffic.{listed.key}",
            how="ports" if listed.holds == "ports" else "texts",
        )
        for listed in LISTS
    },
}

_SIDECAR: Final = {
    **group(
        "fsm",
        "sidecar",
        enablePrivilegedInitContainer=False,
        maxDataPlaneConnections=0,
        configResyncInterval="0s",
        localProxyMode="Localhost",
    ),
    **group(
        "fsm.sidecar",
        "sidecar",
        sidecarDisabledMTLS=False,
        compressConfig=True,
        holdApplicationUntilProxyStarts=True,
        gracefulExitUntilDownstreamEnds=True,
        sidecarLogLevel=("logLevel", "error"),
        sidecarTimeout=60,
    ),
    **group(
        "fsm.localDNSProxy",
        "sidecar.localDNSProxy",
        enable=False,
        generateIPv6BasedOnIPv4=False,
        db=[],
    ),
    **group(
        "fsm.localDNSProxy",
        "sidecar.localDNSProxy",
        "optional",
        primaryUpstreamDNSServerIPAddr="",
        secondaryUpstreamDNSServerIPAddr="",
    ),
    **group(
        "fsm.localDNSProxy.wildcard",
        "sidecar.localDNSProxy.wildcard",
        enable=False,
        los=[],
        ips=[{"ipv4": "127.0.0.2"}],
    ),
    **group(
        "fsm.xnetDNSProxy",
        "sidecar.xnetDNSProxy",
        enable=False,
        upstreams=[{"name": "fsm-controller"}],
    ),
    **group("fsm.repoServer", "repoServer", ipaddr="127.0.0.1", port=6060, codebase=""),
    **group("fsm.warmup", "warmup", enable=False, duration="90s", minWeight=10, maxWeight=100),
}


def _chain(first: int, direction: str, modules: str) -> list[dict[str, Any]]:
    return [
        {"plugin": f"modules/{direction}-{module}", "priority": first - 10 * place}
        for place, module in enumerate(modules.split())
    ]


_PLUGIN_CHAINS: Final = {
    "inbound-tcp": _chain(
        130, "inbound", "tls-termination tcp-routing tcp-load-balancing tcp-default"
    ),
    "inbound-http": _chain(
        180,
        "inbound",
        "tls-termination http-routing metrics-http tracing-http logging-http throttle-service "
        "throttle-route http-load-balancing http-default",
    ),
    "outbound-tcp": _chain(120, "outbound", "tcp-routing tcp-load-balancing tcp-default"),
    "outbound-http": _chain(
        160,
        "outbound",
        "http-routing metrics-http tracing-http logging-http circuit-breaker http-load-balancing "
        "http-default",
    ),
}
for _plugin in _PLUGIN_CHAINS["inbound-tcp"]:
    _plugin["disable"] = False  # the chart spells it out in this chain alone

_FEATURES: Final = group(
    "fsm.featureFlags",
    "featureFlags",
    enableEgressPolicy=True,
    enableAsyncProxyServiceMapping=False,
    enableIngressBackendPolicy=True,
    enableAccessControlPolicy=True,
    enableAccessCertPolicy=False,
    enableTrafficWarmupPolicy=False,
    enableSidecarPrettyConfig=True,
    enableSidecarActiveHealthChecks=False,
    enableSnapshotCacheMode=False,
    enableRetryPolicy=False,
    enablePluginPolicy=False,
    enableAutoDefaultRoute=False,
    enableValidateGatewayListenerHostname=True,
    enableValidateHTTPRouteHostnames=True,
    enableValidateGRPCRouteHostnames=True,
    enableValidateTLSRouteHostnames=True,
    useEndpointSlicesForGateway=True,
    dropRouteRuleIfNoAvailableBackends=False,
)

_OBSERVABILITY: Final = {
    **group("fsm", "observability", controllerLogLevel=("fsmLogLevel", "info")),
    **group("fsm.tracing", "observability.tracing", enable=False),
    **group(
        "fsm.tracing", "observability.tracing", "where_on", port=9411, endpoint="/api/v2/spans"
    ),
    **group(
        "fsm.tracing",
        "observability.tracing",
        "where_on_optional",
        address="",
        sampledFraction="",
    ),
    **group(
        "fsm.remoteLogging",
        "observability.remoteLogging",
        enable=False,
        secretName="fsm-remote-logging-secret",
    ),
    **group(
        "fsm.remoteLogging",
        "observability.remoteLogging",
        "where_on",
        level=2,
        port=30514,
        sampledFraction="1.0",
    ),
    **group(
        "fsm.remoteLogging",
        "observability.remoteLogging",
        "where_on_optional",
        address="",
        endpoint="",
    ),
}

_GATEWAYS: Final = {
    **group("fsm.fsmIngress", "ingress", namespaced=False, logLevel="info"),
    **group("fsm.fsmIngress.service", "ingress", type="LoadBalancer"),
    **group(
        "fsm.fsmIngress.http",
        "ingress.http",
        enabled=True,
        port=("bind", 80),
        containerPort=("listen", 8000),
        nodePort=30508,
    ),
    **group(
        "fsm.fsmIngress.tls",
        "ingress.tls",
        enabled=False,
        port=("bind", 443),
        containerPort=("listen", 8443),
        nodePort=30607,
        mTLS=False,
    ),
    **group(
        "fsm.fsmIngress.tls.sslPassthrough",
        "ingress.tls.sslPassthrough",
        enabled=False,
        upstreamPort=443,
    ),
    **group("fsm.fsmGateway", "gatewayAPI", logLevel="info"),
    **group(
        "fsm.flb",
        "flb",
        strictMode=False,
        upstreamMode="Endpoint",
        secretName="fsm-flb-secret",
    ),
    **group(
        "fsm.egressGateway",
        "egressGateway",
        logLevel="error",
        mode="http2tunnel",
        port=1080,
        adminPort=6060,
        replicaCount=("replicas", 1),
    ),
}

MESH_VALUES: Final[dict[str, Value]] = {
    **_TRAFFIC,
    **_SIDECAR,
    **{
        f"fsm.pluginChains.{name}": Value(default=chain, target=f"pluginChains.{name}")
        for name, chain in _PLUGIN_CHAINS.items()
    },
    **_FEATURES,
    **_OBSERVABILITY,
    **_GATEWAYS,
}
