"""Values of FSM's chart that become no setting: without an effect, or not provided.

Their defaults are here because a value that equals its default says nothing.
Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0, and its templates.
"""

from __future__ import annotations

from typing import Any, Final

from fsm_stack.convert.chart.control_plane import amounts
from fsm_stack.manifests.pods import default_affinity

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


def _platform(*architectures: str) -> dict[str, Any]:
    """The affinity of pods that may run beside others of their kind."""
    affinity = default_affinity("any")
    del affinity["podAntiAffinity"]
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    required["nodeSelectorTerms"][0]["matchExpressions"][1]["values"] = list(architectures)
    return affinity


def _image(registry: str, name: str, tag: str) -> dict[str, str]:
    return {"registry": registry, "name": name, "tag": tag}


def _scheduling(affinity: dict[str, Any]) -> dict[str, Any]:
    return {"nodeSelector": {}, "affinity": affinity, "tolerations": []}


_SMALL: Final = amounts("500m", "512M", "200m", "128M")
_NETWORK: Final = amounts("1.5", "1G", "0.5", "256M")
_HOOK: Final = {"resources": _SMALL, **_scheduling(_platform("amd64", "arm64"))}
_MANY: Final = ("amd64", "arm64", "arm", "ppc64le", "s390x")

_HOOK_REASON: Final = "the chart's hook jobs are no objects of a stack"
_UNKNOWN_UPSTREAM: Final = "no program of FSM reads it: it is not in MeshConfig"
_UNREAD: Final = "no template of the chart reads it"

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
}


def _bridges(name: str, name6: str, mac: str, *, on: bool) -> dict[str, Any]:
    return {
        "enable": on,
        "bridge4": {"enable": on, "name": name, "mac": mac},
        "bridge6": {"enable": False, "name": name6, "mac": mac},
    }


def _node_paths(cni_bin: str, cni_netd: str, *, on: bool) -> dict[str, Any]:
    return {
        "enable": on,
        "cniBin": cni_bin,
        "cniNetd": cni_netd,
        "sysFs": "/opt",
        "sysProc": "/proc",
        "sysRun": "/var/run",
    }


_XNET: Final[dict[str, Any]] = {
    "features": {
        "mesh": {
            "enable": True,
            "magic": {"ipv4": "0400040", "ipv6": "02"},
            "filter": {"ports": {"inbound": "mesh", "outbound": "mesh"}},
            "excludeNamespaces": [],
        },
        "e4lb": {"enable": False, "magic": {"ipv4": "0A50", "ipv6": "0A50"}},
    },
    "image": _image("flomesh", "xnet", "latest"),
    "resource": _NETWORK,
    "flush": {
        "conntrack": {
            "tcp": {"crontab": "30 3 */1 * *", "idleSeconds": 3600, "batchSize": 4096},
            "udp": {"crontab": "*/2 * * * *", "idleSeconds": 120, "batchSize": 4096},
        }
    },
    "nodePaths": {
        "k8s": _node_paths("/opt/cni/bin", "/etc/cni/net.d", on=False),
        "k3s": _node_paths("/bin", "/var/lib/rancher/k3s/agent/etc/cni/net.d", on=True),
    },
    "cnis": {
        "flannel": _bridges("cni0", "cni0", "", on=True),
        "calicoVxlan": _bridges("vxlan.calico", "vxlan-v6.calico", "ee:ee:ee:ee:ee:ee", on=False),
    },
}

_INGRESS_AFFINITY: Final = default_affinity("fsm-ingress")
_INGRESS_AFFINITY["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0][
    "podAffinityTerm"
]["labelSelector"]["matchExpressions"].append(
    {"key": "networking.flomesh.io/namespaced", "operator": "In", "values": ["false"]}
)

_FSM: Final[dict[str, Any]] = {
    "fsmXnetwork": {
        "xmgt": {"resource": _NETWORK},
        "xnet": _XNET,
        "initResources": _SMALL,
        "podLabels": {},
        **_scheduling(default_affinity("fsm-xnetwork")),
    },
    "deployPrometheus": False,
    "prometheus": {
        "resources": amounts("1", "2G", "0.5", "512M"),
        "port": 7070,
        "retention": {"time": "15d"},
        "image": _image("prom", "prometheus", "v2.34.0"),
        **_scheduling(_platform(*_MANY)),
    },
    "deployGrafana": False,
    "grafana": {
        "port": 3000,
        "enableRemoteRendering": False,
        "image": _image("grafana", "grafana", "8.2.2"),
        "rendererImage": _image("grafana", "grafana-image-renderer", "3.2.1"),
        **_scheduling(_platform(*_MANY)),
    },
    "deployJaeger": False,
    "tracing": {
        "image": _image("jaegertracing", "all-in-one", "latest"),
        **_scheduling(_platform("amd64", "arm64", "ppc64le", "s390x")),
    },
    "enableFluentbit": False,
    "fluentBit": {
        "name": "fluentbit-logger",
        "image": _image("fluent", "fluent-bit", "1.6.4"),
        "pullPolicy": "IfNotPresent",
        "outputPlugin": "stdout",
        "workspaceId": "",
        "primaryKey": "",
        "enableProxySupport": False,
        "httpProxy": "",
        "httpsProxy": "",
    },
    "featureFlags": {"enableMeshRootCertificate": False},
    "fsmIngress": {
        "className": "pipy",
        "enabled": False,
        "replicaCount": 1,
        "service": {"name": "fsm-ingress", "annotations": {}},
        "resources": amounts("2", "1G", "0.5", "128M"),
        "env": [{"name": "GIN_MODE", "value": "release"}],
        "podLabels": {},
        "podAnnotations": {},
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "initResources": _SMALL,
        **_scheduling(_INGRESS_AFFINITY),
    },
    "fsmGateway": {"enabled": False},
    "serviceLB": {"enabled": False},
    "flb": {
        "enabled": False,
        "baseUrl": "http://localhost:1337",
        "k8sCluster": "UNKNOWN",
        "defaultAddressPool": "default",
        "defaultAlgo": "rr",
    },
    "egressGateway": {
        "enabled": False,
        "name": "fsm-egress-gateway",
        "resources": amounts("1000m", "512M", "300m", "128M"),
        "podLabels": {},
        "podAnnotations": {},
    },
}

NOT_PROVIDED: Final[dict[str, Any]] = flattened(_FSM, "fsm")

# Values that hold a secret. Path to default, and where the secret belongs.
SECRETS: Final[dict[str, tuple[str, str]]] = {
    "fsm.vault.token": ("", "a Secret that fsm.vault.secret names"),
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
