"""The programs of a stack: the control plane's three, and those that it may run beside them.

What the beside-programs are to the mesh stands in MeshConfig's sections (``ingress``,
``egressGateway``, ``observability``); here stands how they run. Keys are those of FSM's chart.
Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from fsm_stack.settings.models import base
from fsm_stack.settings.models.base import (
    Count,
    DnsLabel,
    DnsName,
    Model,
    Positive,
    section,
    setting,
)
from fsm_stack.settings.models.components import (
    Bootstrap,
    Controller,
    Injector,
    LabelKey,
    LabelValue,
    Placed,
    PullPolicy,
    Resources,
    usual_resources,
)
from fsm_stack.settings.models.control_plane import SecretKeyReference
from fsm_stack.settings.models.values import Port

Annotations = dict[LabelKey, str]


class EnvironmentVariable(Model):
    """One variable of a container."""

    name: Annotated[str, StringConstraints(pattern=r"^[-._A-Za-z][-._A-Za-z0-9]*$")] = Field(
        description="The variable's name."
    )
    value: str | None = setting(None, "Its value.")
    value_from: dict[str, Any] | None = setting(
        None, "Where Kubernetes takes the value from, such as secretKeyRef."
    )


_RELEASE_MODE: Final = (EnvironmentVariable.model_construct(name="GIN_MODE", value="release"),)
_NO_ONE: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_NO_PRIVILEGE: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


class IngressProgram(Placed):
    """fsm-ingress, where ``ingress.enabled`` asks for it."""

    replicas: Positive = setting(1, "Pods of the Deployment.")
    service_name: DnsLabel = setting("fsm-ingress", "Name of its Service.")
    service_annotations: Annotations = setting({}, "Annotations of its Service.")
    resources: Resources = usual_resources("the main container", "2", "1G", "0.5", "128M")
    init_resources: Resources = usual_resources("init containers", "500m", "512M", "200m", "128M")
    env: tuple[EnvironmentVariable, ...] = setting(
        _RELEASE_MODE, "Variables of its container, after the program's own."
    )
    pod_labels: dict[LabelKey, LabelValue] = setting({}, "More labels for its pods.")
    pod_annotations: Annotations = setting({}, "Annotations of its pods.")
    pod_security_context: dict[str, Any] = setting(_NO_ONE, "Security context of its pods.")
    security_context: dict[str, Any] = setting(
        _NO_PRIVILEGE, "Security context of its containers."
    )


class EgressGatewayProgram(Model):
    """The egress gateway, where ``egressGateway.enabled`` asks for it."""

    name: DnsLabel = setting("fsm-egress-gateway", "Name of its Deployment.")
    resources: Resources = usual_resources("its container", "1000m", "512M", "300m", "128M")
    pod_labels: dict[LabelKey, LabelValue] = setting({}, "More labels for its pods.")
    pod_annotations: Annotations = setting({}, "More annotations of its pods.")


class Prometheus(Placed):
    """Prometheus beside the control plane."""

    enabled: bool = setting(False, "Run Prometheus beside the control plane.")
    port: Port = setting(7070, "Its port.")
    retention: Annotated[
        str, StringConstraints(pattern=r"^([0-9]+(ms|[smhdwy]))+$", max_length=64)
    ] = setting("15d", "How long it keeps samples.")
    resources: Resources = usual_resources("its container", "1", "2G", "0.5", "512M")


class Grafana(Placed):
    """Grafana with FSM's dashboards, which are a release asset."""

    enabled: bool = setting(False, "Run Grafana with FSM's dashboards.")
    port: Port = setting(3000, "Its port.")
    remote_rendering: bool = setting(False, "Run Grafana's image renderer beside it.")


class Jaeger(Placed):
    """Jaeger in one pod, without storage of its own."""

    enabled: bool = setting(False, "Run Jaeger beside the control plane.")
    port: Port | None = setting(
        None, "Port of its Zipkin collector; observability.tracing.port, else 9411, if absent."
    )


class Azure(Model):
    """Azure Monitor, to which Fluent Bit sends."""

    workspace_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")] = Field(
        description="The workspace."
    )
    key_secret: SecretKeyReference = Field(
        description="Where the workspace's key is; the key itself is never a setting."
    )


class FluentBit(Model):
    """Fluent Bit beside the controller: its log goes to where the output plugin sends it."""

    enabled: bool = setting(False, "Run Fluent Bit beside the controller.")
    name: DnsLabel = setting("fluentbit-logger", "Name of its container.")
    pull_policy: PullPolicy = setting("IfNotPresent", "imagePullPolicy of its image.")
    output_plugin: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")] = setting(
        "stdout", "Fluent Bit's output plugin, such as stdout or azure."
    )
    azure: Azure | None = setting(None, "Required when outputPlugin is azure.")
    proxy_secret: DnsName | None = setting(
        None,
        "A Secret with the keys HTTP_PROXY and HTTPS_PROXY: Fluent Bit sends through the proxy.",
    )


Magic = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]+$", max_length=16)]
Filter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9,_-]+$", max_length=253)]
Folder = Annotated[str, StringConstraints(pattern=base.FOLDER, max_length=1024)]
Crontab = Annotated[str, StringConstraints(pattern=r"^[0-9*/, -]+$", max_length=64)]


class Magics(Model):
    """What marks packets that the engine has seen."""

    ipv4: Magic = setting("0A50", "For IPv4, in hexadecimal digits.")
    ipv6: Magic = setting("0A50", "For IPv6, in hexadecimal digits.")


_MESH_MAGICS: Final = Magics.model_construct(ipv4="0400040", ipv6="02")


class FilteredPorts(Model):
    """Which ports the engine redirects."""

    inbound: Filter = setting("mesh", "Of inbound traffic.")
    outbound: Filter = setting("mesh", "Of outbound traffic.")


class Filters(Model):
    """What the engine looks at."""

    ports: FilteredPorts = section(FilteredPorts, "Ports that are redirected.")


class MeshFeature(Model):
    """Redirection to sidecars."""

    enable: bool = setting(True, "Redirect traffic of the mesh's pods.")
    magic: Magics = Field(
        default_factory=lambda: _MESH_MAGICS, description="Marks of the mesh's packets."
    )
    filter: Filters = section(Filters, "What is redirected.")
    exclude_namespaces: tuple[DnsLabel, ...] = setting((), "Namespaces whose pods are left alone.")


class LoadBalancerFeature(Model):
    """The load balancer for external addresses of the cluster."""

    enable: bool = setting(False, "Balance external addresses.")
    magic: Magics = section(Magics, "Marks of its packets.")


class Features(Model):
    """What the engine does."""

    mesh: MeshFeature = section(MeshFeature, "Redirection to sidecars.")
    e4lb: LoadBalancerFeature = section(LoadBalancerFeature, "Balancing of external addresses.")


class Flush(Model):
    """When idle connections are forgotten."""

    crontab: Crontab = Field(description="When, as cron writes it.")
    idle_seconds: Count = Field(description="Idle for so long.")
    batch_size: Positive = setting(4096, "So many at a time.")


_TCP: Final = Flush.model_construct(crontab="30 3 */1 * *", idle_seconds=3600)
_UDP: Final = Flush.model_construct(crontab="*/2 * * * *", idle_seconds=120)


class Tracked(Model):
    """Tracked connections, by protocol."""

    tcp: Flush = Field(default_factory=lambda: _TCP, description="Of TCP.")
    udp: Flush = Field(default_factory=lambda: _UDP, description="Of UDP.")


class Flushes(Model):
    """When the engine forgets connections."""

    conntrack: Tracked = section(Tracked, "Tracked connections.")


class NodePaths(Model):
    """Folders of the node that the engine writes to."""

    enable: bool = Field(description="Use these.")
    cni_bin: Folder = Field(description="Where CNI plugins are.")
    cni_netd: Folder = Field(description="Where CNI's configuration is.")
    sys_fs: Folder = setting("/opt", "Where the engine mounts its BPF file system.")
    sys_proc: Folder = setting("/proc", "The node's process file system.")
    sys_run: Folder = setting("/var/run", "Where network namespaces are.")


_KUBERNETES: Final = NodePaths.model_construct(
    enable=False, cni_bin="/opt/cni/bin", cni_netd="/etc/cni/net.d"
)
_K3S: Final = NodePaths.model_construct(
    enable=True, cni_bin="/bin", cni_netd="/var/lib/rancher/k3s/agent/etc/cni/net.d"
)


class Distributions(Model):
    """Where each distribution has its folders; ``k8s`` counts where both are enabled."""

    k8s: NodePaths = Field(
        default_factory=lambda: _KUBERNETES, description="Folders of most distributions."
    )
    k3s: NodePaths = Field(default_factory=lambda: _K3S, description="Folders of k3s.")


class Bridge(Model):
    """The interface of a node to which its pods are connected."""

    enable: bool = Field(description="There is one.")
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,15}$")] = Field(
        description="The interface's name."
    )
    mac: Annotated[str, StringConstraints(pattern=r"^(([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})?$")] = (
        setting("", "Its hardware address; empty: the engine looks it up.")
    )


class Cni(Model):
    """One network plugin."""

    enable: bool = Field(description="The cluster uses it.")
    bridge4: Bridge = Field(description="Its bridge for IPv4.")
    bridge6: Bridge = Field(description="Its bridge for IPv6.")


def _cni(name: str, name6: str, mac: str, *, on: bool) -> Cni:
    return Cni.model_construct(
        enable=on,
        bridge4=Bridge.model_construct(enable=on, name=name, mac=mac),
        bridge6=Bridge.model_construct(enable=False, name=name6, mac=mac),
    )


_FLANNEL: Final = _cni("cni0", "cni0", "", on=True)
_CALICO: Final = _cni("vxlan.calico", "vxlan-v6.calico", "ee:ee:ee:ee:ee:ee", on=False)


class Cnis(Model):
    """The cluster's network plugin; ``calicoVxlan`` counts where both are enabled."""

    flannel: Cni = Field(default_factory=lambda: _FLANNEL, description="Flannel.")
    calico_vxlan: Cni = Field(default_factory=lambda: _CALICO, description="Calico with VXLAN.")


class XnetManager(Model):
    """fsm-xnet-mgmt, which tells the engine what the mesh is."""

    resources: Resources = usual_resources("its container", "1.5", "1G", "0.5", "256M")


class XnetEngine(Model):
    """fsm-xnet-engine, which redirects in the kernel."""

    resources: Resources = usual_resources("its container", "1.5", "1G", "0.5", "256M")
    features: Features = section(Features, "What it does.")
    flush: Flushes = section(Flushes, "When it forgets connections.")
    node_paths: Distributions = section(Distributions, "Folders of the nodes.")
    cnis: Cnis = section(Cnis, "The cluster's network plugin.")


class Xnetwork(Placed):
    """The DaemonSet fsm-xnetwork, where ``traffic.interceptionMode`` is NodeLevel."""

    init_resources: Resources = usual_resources("init containers", "500m", "512M", "200m", "128M")
    xmgt: XnetManager = section(XnetManager, "The manager.")
    xnet: XnetEngine = section(XnetEngine, "The engine.")


class Components(Model):
    """The control plane's Deployments, and the programs beside them."""

    bootstrap: Bootstrap = section(Bootstrap, "fsm-bootstrap.")
    controller: Controller = section(Controller, "fsm-controller.")
    injector: Injector = section(Injector, "fsm-injector.")
    ingress: IngressProgram = section(IngressProgram, "fsm-ingress.")
    egress_gateway: EgressGatewayProgram = section(EgressGatewayProgram, "The egress gateway.")
    xnetwork: Xnetwork = section(Xnetwork, "fsm-xnetwork, for NodeLevel interception.")
    prometheus: Prometheus = section(Prometheus, "Prometheus.")
    grafana: Grafana = section(Grafana, "Grafana.")
    jaeger: Jaeger = section(Jaeger, "Jaeger.")
    fluent_bit: FluentBit = section(FluentBit, "Fluent Bit.")


# Off unless asked for: what a stack does not set of them is no part of its digest.
OPTIONAL: Final = (
    "components.ingress",
    "components.egressGateway",
    "components.xnetwork",
    "components.prometheus",
    "components.grafana",
    "components.jaeger",
    "components.fluentBit",
    "images.xnet",
    "images.prometheus",
    "images.grafana",
    "images.grafanaRenderer",
    "images.jaeger",
    "images.fluentBit",
    "certificateProvider.meshRootCertificate",
)
