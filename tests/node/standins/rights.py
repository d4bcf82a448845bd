"""What FSM's programs list and watch when they start, and how they fail where they may not.

The lists are what the real programs were seen to ask for on a cluster of Kubernetes 1.34.
"""

from __future__ import annotations

import sys
import time

from standins.api import FORBIDDEN, NOT_FOUND, RefusedError, follow, request
from standins.process import log

PATIENCE_SECONDS = 15
# A resource whose CRD is absent is asked for all the same: the server checks rights first.
_BOTH = {
    "/api/v1": "configmaps endpoints namespaces pods secrets serviceaccounts services",
    "/apis/access.smi-spec.io/v1alpha3": "traffictargets",
    "/apis/discovery.k8s.io/v1": "endpointslices",
    "/apis/machine.flomesh.io/v1alpha1": "virtualmachines",
    "/apis/networking.k8s.io/v1": "ingressclasses ingresses",
    "/apis/policy.flomesh.io/v1alpha1": "accesscerts accesscontrols egresses egressgateways "
    "ingressbackends isolations retries trafficwarmups upstreamtrafficsettings",
    "/apis/specs.smi-spec.io/v1alpha4": "httproutegroups tcproutes",
    "/apis/split.smi-spec.io/v1alpha4": "trafficsplits",
}
_CONTROLLER = {
    "/apis/apps/v1": "deployments",
    "/apis/connector.flomesh.io/v1alpha1": "consulconnectors eurekaconnectors gatewayconnectors "
    "machineconnectors nacosconnectors zookeeperconnectors",
    "/apis/gateway.flomesh.io/v1alpha2": "backendlbpolicies healthcheckpolicies "
    "routerulefilterpolicies",
    "/apis/gateway.networking.k8s.io/v1": "backendtlspolicies gatewayclasses gateways grpcroutes "
    "httproutes referencegrants tcproutes tlsroutes udproutes",
    "/apis/multicluster.flomesh.io/v1alpha1": "clusters serviceexports",
    "/apis/networking.flomesh.io/v1alpha1": "namespacedingresses",
    "/apis/plugin.flomesh.io/v1alpha1": "pluginchains pluginconfigs plugins",
}


def _paths(groups: dict[str, str]) -> list[str]:
    return [f"{root}/{name}" for root, names in groups.items() for name in names.split()]


def injector_paths(namespace: str) -> list[str]:
    """What the injector follows."""
    own = f"/apis/config.flomesh.io/v1alpha3/namespaces/{namespace}"
    return [*_paths(_BOTH), f"{own}/meshconfigs", f"{own}/meshrootcertificates"]


def controller_paths(namespace: str) -> list[str]:
    """What the controller follows."""
    return [*injector_paths(namespace), *_paths(_CONTROLLER)]


def synchronise(paths: list[str]) -> None:
    """List and watch everything; the process ends where something is refused for long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for path in paths:
        while (refusal := _refusal(path)) is not None:
            kind = path.rpartition("/")[2]
            sys.stderr.write(
                f'E reflector.go:200] "Failed to watch" err="failed to list {kind}: {refusal}" '
                'logger="UnhandledError"\n'
            )
            sys.stderr.flush()
            if time.monotonic() > deadline:
                log("fatal", "failed initial cache sync", error=str(refusal))
                sys.exit(1)
            time.sleep(1)


def _refusal(path: str) -> RefusedError | None:
    try:
        listed = request("GET", path, query={"limit": "500"})
        follow(path, since=listed["metadata"]["resourceVersion"])
    except RefusedError as error:
        if error.code == NOT_FOUND:
            return None
        if error.code == FORBIDDEN:
            return error
        raise
    return None
