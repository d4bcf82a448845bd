"""Values of FSM's chart that become no setting: without an effect, or a secret.

Their defaults are here because a value that equals its default says nothing.
Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0, and its templates.
"""

from __future__ import annotations

from typing import Any, Final

from fsm_stack.manifests.pods import platform_affinity
from fsm_stack.manifests.programs.beside import fixed_resources

# Mappings that a user fills freely: compared and converted whole.
OPEN_KEYS: Final = frozenset(
    {
        "affinity",
        "annotations",
        "initResources",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "podSecurityContext",
        "repoResources",
        "resource",
        "resources",
        "securityContext",
    }
)


def flattened(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A tree of values by path, down to scalars, lists and the mappings of :data:`OPEN_KEYS`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}.{key}"
        if isinstance(value, dict) and key not in OPEN_KEYS:
            flat |= flattened(value, path)
        else:
            flat[path] = value
    return flat


_SMALL: Final = fixed_resources("500m", "512M", "200m", "128M")
_HOOK: Final = {
    "resources": _SMALL,
    "nodeSelector": {},
    "affinity": platform_affinity("amd64", "arm64"),
    "tolerations": [],
}

_HOOK_REASON: Final = "the chart's hook jobs are no objects of a stack"
_UNKNOWN_UPSTREAM: Final = "no program of FSM reads it: it is not in MeshConfig"
_UNREAD: Final = "no template of the chart reads it"
_OF_FLB: Final = "FSM reads it from the Secret that fsm.flb.secretName names; put it there"

# Path to default and reason. Without an effect on the chart's objects, or only on hook jobs.
WITHOUT_EFFECT: Final[dict[str, tuple[Any, str]]] = {
    **{
        path: (default, _HOOK_REASON)
        for path, default in flattened(_HOOK, "fsm.preinstall").items()
    },
    **{path: (default, _HOOK_REASON) for path, default in flattened(_HOOK, "fsm.cleanup").items()},
    "fsm.localDNSProxy.searchesWithNamespace": (True, _UNKNOWN_UPSTREAM),
    "fsm.localDNSProxy.searchesWithTrustDomain": (True, _UNKNOWN_UPSTREAM),
    "fsm.controlPlaneTolerations": (
        [],
        f"{_UNREAD}; set the tolerations of each component",
    ),
    "fsm.sidecar.initContainerImage.registry": ("", _UNREAD),
    "fsm.sidecar.initContainerImage.name": ("", _UNREAD),
    "fsm.sidecar.initContainerImage.tag": ("", _UNREAD),
    "fsm.sidecar.resource": ({}, _UNREAD),
    "fsm.sidecar.initResources": ({}, _UNREAD),
    "fsm.sidecar.healthcheckResources": ({}, _UNREAD),
    "fsm.pspEnabled": (False, _UNREAD),
    "fsm.fsmIngress.className": ("pipy", _UNREAD),
    "fsm.fsmXnetwork.podLabels": ({}, _UNREAD),
    "fsm.flb.baseUrl": ("http://localhost:1337", _OF_FLB),
    "fsm.flb.k8sCluster": ("UNKNOWN", _OF_FLB),
    "fsm.flb.defaultAddressPool": ("default", _OF_FLB),
    "fsm.flb.defaultAlgo": ("rr", _OF_FLB),
}


# Values that hold a secret. Path to default, and where the secret belongs.
SECRETS: Final[dict[str, tuple[str, str]]] = {
    "fsm.vault.token": ("", "a Secret that fsm.vault.secret names"),
    "fsm.fluentBit.primaryKey": ("", "a Secret that components.fluentBit.azure.keySecret names"),
    "fsm.fluentBit.httpProxy": ("", "the Secret that components.fluentBit.proxySecret names"),
    "fsm.fluentBit.httpsProxy": ("", "the Secret that components.fluentBit.proxySecret names"),
    "fsm.remoteLogging.authorization": ("", "the Secret that fsm.remoteLogging.secretName names"),
    "fsm.flb.username": ("admin", "the Secret that fsm.flb.secretName names"),
    "fsm.flb.password": ("admin", "the Secret that fsm.flb.secretName names"),
}

# Values that :mod:`fsm_stack.convert.chart.helm` reads together with others.
TOGETHER: Final[dict[str, Any]] = {
    "fsm.trafficInterceptionMode": "PodLevel",
    "fsm.sidecar.image.registry": "flomesh",
    "fsm.repoServer.image.registry": "flomesh",
    "fsm.serviceLB.image.registry": "flomesh",
    "fsm.serviceLB.image.name": "mirrored-klipper-lb",
    "fsm.serviceLB.image.tag": "v0.4.7",
}
