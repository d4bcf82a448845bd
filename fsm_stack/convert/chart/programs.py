"""Values of FSM's chart about the programs beside the control plane, and what they become.

Source: flomesh-io/fsm charts/fsm/values.yaml, values.schema.json and templates at 1.6.0. The chart
at 1.5.1 differs in image tags only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from fsm_stack.convert.chart.control_plane import Value, group
from fsm_stack.convert.chart.other import flattened
from fsm_stack.convert.result import at
from fsm_stack.manifests.pods import default_affinity, platform_affinity
from fsm_stack.manifests.programs.beside import fixed_resources
from fsm_stack.settings.models.components import OTHER_IMAGES
from fsm_stack.well_known import INGRESS_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.convert.result import Draft
    from fsm_stack.yaml import Json

_SMALL: Final = fixed_resources("500m", "512M", "200m", "128M")
_NETWORK: Final = fixed_resources("1.5", "1G", "0.5", "256M")
_MANY: Final = ("amd64", "arm64", "arm", "ppc64le", "s390x")


def _placed(source: str, target: str, affinity: Json) -> dict[str, Value]:
    return group(source, target, nodeSelector={}, affinity=affinity, tolerations=[])


def _bridges(name: str, name6: str, mac: str, *, on: bool) -> Json:
    return {
        "enable": on,
        "bridge4": {"enable": on, "name": name, "mac": mac},
        "bridge6": {"enable": False, "name": name6, "mac": mac},
    }


def _node_paths(cni_bin: str, cni_netd: str, *, on: bool) -> Json:
    return {
        "enable": on,
        "cniBin": cni_bin,
        "cniNetd": cni_netd,
        "sysFs": "/opt",
        "sysProc": "/proc",
        "sysRun": "/var/run",
    }


# Below fsm.fsmXnetwork.xnet as below components.xnetwork.xnet.
_XNET: Final[Json] = {
    "features": {
        "mesh": {
            "enable": True,
            "magic": {"ipv4": "0400040", "ipv6": "02"},
            "filter": {"ports": {"inbound": "mesh", "outbound": "mesh"}},
            "excludeNamespaces": [],
        },
        "e4lb": {"enable": False, "magic": {"ipv4": "0A50", "ipv6": "0A50"}},
    },
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

_XNETWORK: Final = {
    **{
        f"fsm.fsmXnetwork.{path}": Value(
            default=default,
            target=f"components.xnetwork.{path}",
            how="tag" if ".magic." in path else "same",
        )
        for path, default in flattened(_XNET, "xnet").items()
    },
    **group("fsm.fsmXnetwork.xmgt", "components.xnetwork.xmgt", "program",
            resource=("resources", _NETWORK)),
    **group("fsm.fsmXnetwork.xnet", "components.xnetwork.xnet", "program",
            resource=("resources", _NETWORK)),
    **group("fsm.fsmXnetwork", "components.xnetwork", "resources", initResources=_SMALL),
    # The chart's schema refuses a nodeSelector here, which its template reads.
    **group("fsm.fsmXnetwork", "components.xnetwork",
            affinity=default_affinity("fsm-xnetwork"), tolerations=[]),
}  # fmt: skip

_OBSERVABILITY: Final = {
    **group("fsm", "components", deployPrometheus=("prometheus.enabled", False)),
    **group("fsm", "components", deployGrafana=("grafana.enabled", False)),
    **group("fsm", "components", deployJaeger=("jaeger.enabled", False)),
    **group("fsm", "components", enableFluentbit=("fluentBit.enabled", False)),
    **group("fsm.prometheus", "components.prometheus", port=7070),
    **group("fsm.prometheus.retention", "components.prometheus", time=("retention", "15d")),
    **group("fsm.prometheus", "components.prometheus", "program",
            resources=fixed_resources("1", "2G", "0.5", "512M")),
    **_placed("fsm.prometheus", "components.prometheus", platform_affinity(*_MANY)),
    **group("fsm.grafana", "components.grafana", port=3000,
            enableRemoteRendering=("remoteRendering", False)),
    **_placed("fsm.grafana", "components.grafana", platform_affinity(*_MANY)),
    **_placed("fsm.tracing", "components.jaeger",
              platform_affinity("amd64", "arm64", "ppc64le", "s390x")),
    **group("fsm.fluentBit", "components.fluentBit", name="fluentbit-logger",
            pullPolicy="IfNotPresent", outputPlugin="stdout"),
}  # fmt: skip

_GATEWAYS: Final = {
    **group("fsm.fsmIngress", "ingress", enabled=False),
    **group(
        "fsm.fsmIngress",
        "components.ingress",
        replicaCount=("replicas", 1),
        env=[{"name": "GIN_MODE", "value": "release"}],
        podLabels={},
        podAnnotations={},
        podSecurityContext={
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    ),
    **group("fsm.fsmIngress.service", "components.ingress",
            name=("serviceName", "fsm-ingress"), annotations=("serviceAnnotations", {})),
    **group("fsm.fsmIngress", "components.ingress", "resources",
            resources=fixed_resources("2", "1G", "0.5", "128M"), initResources=_SMALL),
    **_placed("fsm.fsmIngress", "components.ingress",
              default_affinity("fsm-ingress", **{INGRESS_LABEL: "false"})),
    **group("fsm.fsmGateway", "gatewayAPI", enabled=False),
    **group("fsm.serviceLB", "serviceLB", enabled=False),
    **group("fsm.flb", "flb", enabled=False),
    **group("fsm.egressGateway", "egressGateway", enabled=False),
    **group("fsm.egressGateway", "components.egressGateway",
            name="fsm-egress-gateway", podLabels={}, podAnnotations={}),
    **group("fsm.egressGateway", "components.egressGateway", "resources",
            resources=fixed_resources("1000m", "512M", "300m", "128M")),
}  # fmt: skip

# Field of images -> the values' section with registry, name and tag.
IMAGE_VALUES: Final = {
    "xnet": "fsm.fsmXnetwork.xnet.image",
    "prometheus": "fsm.prometheus.image",
    "grafana": "fsm.grafana.image",
    "grafana_renderer": "fsm.grafana.rendererImage",
    "jaeger": "fsm.tracing.image",
    "fluent_bit": "fsm.fluentBit.image",
}


def _images() -> Iterator[tuple[str, Value]]:
    for field, section in IMAGE_VALUES.items():
        _, name, tag = OTHER_IMAGES[field]
        target = f"images.{to_camel(field)}"
        yield f"{section}.name", Value(default=name, target=f"{target}.name")
        yield f"{section}.tag", Value(default=tag, target=f"{target}.tag", how="tag")


PROGRAM_VALUES: Final[dict[str, Value]] = {
    **_XNETWORK,
    **_OBSERVABILITY,
    **_GATEWAYS,
    **dict(_images()),
    **group(
        "fsm.featureFlags",
        "certificateProvider",
        enableMeshRootCertificate=("meshRootCertificate", False),
    ),
}

_PLUGIN: Final = "fsm.fluentBit.outputPlugin"
_WORKSPACE: Final = "fsm.fluentBit.workspaceId"
_PROXY: Final = "fsm.fluentBit.enableProxySupport"
# The Secret that the chart makes of httpProxy and httpsProxy.
_PROXY_NAME: Final = "proxy-config"
_BOTH: Final = ("fsm.fsmIngress.enabled", "fsm.fsmGateway.enabled")

# Values that are read together with others.
TOGETHER_WITH_OTHERS: Final[Json] = {
    _WORKSPACE: "",
    _PROXY: False,
    **{f"{section}.registry": OTHER_IMAGES[field][0] for field, section in IMAGE_VALUES.items()},
}

# Where a value held a secret: the Secret that takes its place, and where it is named.
STAND_INS: Final = {
    "fsm.vault.token": ("certificateProvider.vault.tokenSecret", "fsm-vault-token", "token"),
    "fsm.fluentBit.primaryKey": ("components.fluentBit.azure.keySecret", "fsm-azure", "key"),
}


def take_programs(
    draft: Draft, value: Callable[[str], Any], changed: Json, ignored: Callable[[str, str], None]
) -> None:
    """What several values decide together.

    Args:
        draft: takes the settings.
        value: a value, or the chart's default.
        changed: the values that are not the chart's default.
        ignored: says of a value that it has no effect, and why.
    """
    _secrets(draft, changed)
    _fluent_bit(draft, value, changed, ignored)
    for field, section in IMAGE_VALUES.items():
        path, usual = f"{section}.registry", OTHER_IMAGES[field][0]
        registry = value(path) or value("fsm.image.registry")
        if registry != usual:
            draft.set(f"images.{to_camel(field)}.registry", registry, path)
        elif path in changed:
            draft.drop(path, "empty: the same registry")
    if all(value(path) for path in _BOTH):
        for path in _BOTH:
            ignored(path, "the chart switches both ingress and gateway off where both are on")
        for section in ("ingress", "gatewayAPI"):
            del draft.settings[section]["enabled"]
            if not draft.settings[section]:
                del draft.settings[section]


def _secrets(draft: Draft, changed: Json) -> None:
    """A Secret of a usual name where a value held a secret and named none."""
    for path, (target, name, key) in STAND_INS.items():
        if path in changed:
            for part, text in (("name", name), ("key", key)):
                if not at(draft.settings, f"{target}.{part}"):
                    draft.set(f"{target}.{part}", text)


def _fluent_bit(
    draft: Draft, value: Callable[[str], Any], changed: Json, ignored: Callable[[str, str], None]
) -> None:
    if value(_PROXY):
        draft.set("components.fluentBit.proxySecret", _PROXY_NAME, _PROXY)
    elif _PROXY in changed:
        draft.drop(_PROXY, "off: no proxy")
    if str(value(_PLUGIN)).lower() == "azure":
        target, name, key = STAND_INS["fsm.fluentBit.primaryKey"]
        draft.set("components.fluentBit.azure.workspaceId", value(_WORKSPACE), _WORKSPACE)
        draft.set(target, {"name": name, "key": key})
        return
    components = draft.settings.get("components", {})
    if components.get("fluentBit", {}).pop("azure", None) and not components["fluentBit"]:
        del components["fluentBit"]
        if not components:
            del draft.settings["components"]
    if _WORKSPACE in changed:
        ignored(_WORKSPACE, f"{_PLUGIN} is not azure")


def program_values(ours: Json) -> Iterator[tuple[str, Any, Any]]:
    """The way back of what several values decide: path, value, the chart's default."""
    images = ours["images"]
    for field, section in IMAGE_VALUES.items():
        own, (registry, name, tag) = images[to_camel(field)], OTHER_IMAGES[field]
        pinned = f"{own['tag'] or tag}@{own['digest']}" if own["digest"] else own["tag"]
        yield f"{section}.registry", own["registry"], registry
        yield f"{section}.name", own["name"], name
        yield f"{section}.tag", pinned, tag
    fluent_bit = ours["components"]["fluentBit"]
    yield _WORKSPACE, at(fluent_bit, "azure.workspaceId"), ""
    yield _PROXY, fluent_bit["proxySecret"] == _PROXY_NAME, False
    if ours["components"]["jaeger"]["port"] and not at(ours, "observability.tracing.enable"):
        yield "fsm.tracing.port", ours["components"]["jaeger"]["port"], 9411
