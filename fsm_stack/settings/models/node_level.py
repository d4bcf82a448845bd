"""XNetwork, the programs of NodeLevel interception: keys and defaults are those of FSM's chart.

Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0, fsm.fsmXnetwork.
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from fsm_stack.settings.models import base
from fsm_stack.settings.models.base import DnsLabel, Model, section, setting
from fsm_stack.settings.models.components import Placed, Resources, usual_resources

Magic = Annotated[str, base.matching(r"^[0-9A-Fa-f]+$", "hexadecimal digits", max_length=16)]
Filter = Annotated[
    str,
    base.matching(r"^[A-Za-z0-9,_-]+$", "names of filters, separated by commas", max_length=253),
]
Folder = Annotated[str, StringConstraints(pattern=base.FOLDER, max_length=1024)]
Crontab = Annotated[
    str,
    base.matching(
        r"^[0-9*/, -]+$", "five fields as cron writes them, such as */10 * * * *", max_length=64
    ),
]


class Magics(Model):
    """What marks packets that the engine has seen."""

    ipv4: Magic = setting("0A50", "For IPv4, in hexadecimal digits.")
    ipv6: Magic = setting("0A50", "For IPv6, in hexadecimal digits.")


class MeshMagics(Magics):
    """What marks packets of the mesh."""

    ipv4: Magic = setting("0400040", "For IPv4, in hexadecimal digits.")
    ipv6: Magic = setting("02", "For IPv6, in hexadecimal digits.")


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
    magic: MeshMagics = section(MeshMagics, "Marks of the mesh's packets.")
    filter: Filters = section(Filters, "What is redirected.")
    exclude_namespaces: tuple[DnsLabel, ...] = setting((), "Namespaces whose pods are left alone.")


class LoadBalancerFeature(Model):
    """The load balancer for external addresses of the cluster."""

    enable: bool = setting(False, "Balance external addresses.")
    magic: Magics = section(Magics, "Marks of its packets.")


class Features(Model):
    """What the engine does."""

    mesh: MeshFeature = section(MeshFeature, "Redirection to sidecars.")
    e4lb: LoadBalancerFeature = section(
        LoadBalancerFeature, "Balancing of external addresses.", alias="e4lb"
    )


# Source: flomesh-io/fsm charts/fsm/values.schema.json.
Idle = Annotated[int, Field(ge=60, le=2**31 - 1)]
Batch = Annotated[int, Field(ge=512, le=10240)]


class TcpFlush(Model):
    """When idle TCP connections are forgotten."""

    crontab: Crontab = setting("30 3 */1 * *", "When, as cron writes it.")
    idle_seconds: Idle = setting(3600, "Idle for so long.")
    batch_size: Batch = setting(4096, "So many at a time.")


class UdpFlush(TcpFlush):
    """When idle UDP connections are forgotten."""

    crontab: Crontab = setting("*/2 * * * *", "When, as cron writes it.")
    idle_seconds: Idle = setting(120, "Idle for so long.")


class Tracked(Model):
    """Tracked connections, by protocol."""

    tcp: TcpFlush = section(TcpFlush, "Of TCP.")
    udp: UdpFlush = section(UdpFlush, "Of UDP.")


class Flushes(Model):
    """When the engine forgets connections."""

    conntrack: Tracked = section(Tracked, "Tracked connections.")


class NodePaths(Model):
    """Folders of the node that the engine writes to; here those of most distributions."""

    enable: bool = setting(False, "Use these.")
    cni_bin: Folder = setting("/opt/cni/bin", "Where CNI plugins are.")
    cni_netd: Folder = setting("/etc/cni/net.d", "Where CNI's configuration is.")
    sys_fs: Folder = setting("/opt", "Where the engine mounts its BPF file system.")
    sys_proc: Folder = setting("/proc", "The node's process file system.")
    sys_run: Folder = setting("/var/run", "Where network namespaces are.")


class K3sPaths(NodePaths):
    """The same of k3s."""

    enable: bool = setting(True, "Use these.")
    cni_bin: Folder = setting(
        "/bin", "Where CNI plugins are; from Kubernetes 1.29 on /var/lib/rancher/k3s/data/cni."
    )
    cni_netd: Folder = setting(
        "/var/lib/rancher/k3s/agent/etc/cni/net.d", "Where CNI's configuration is."
    )


class Distributions(Model):
    """Where each distribution has its folders; ``k8s`` counts where both are enabled."""

    k8s: NodePaths = section(NodePaths, "Folders of most distributions.", alias="k8s")
    k3s: K3sPaths = section(K3sPaths, "Folders of k3s.", alias="k3s")


Interface = Annotated[
    str,
    base.matching(
        r"^[A-Za-z0-9._-]{1,15}$",
        "an interface's name: at most 15 letters, digits, '-', '_' and '.'",
    ),
]
Mac = Annotated[
    str,
    base.matching(
        r"^(([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})?$", "a hardware address such as ee:ee:ee:ee:ee:ee"
    ),
]
_ANY_MAC: Final = "Its hardware address; empty: the engine looks it up."
# Calico gives every node's interface this one.
_CALICO_MAC: Final = "ee:ee:ee:ee:ee:ee"


class Bridge(Model):
    """The interface of a node to which its pods are connected."""

    enable: bool = setting(False, "There is one.")
    name: Interface = setting("cni0", "The interface's name.")
    mac: Mac = setting("", _ANY_MAC)


class FlannelBridge(Bridge):
    """Flannel's, for IPv4."""

    enable: bool = setting(True, "There is one.")


class CalicoBridge(Bridge):
    """Calico's, for IPv4."""

    name: Interface = setting("vxlan.calico", "The interface's name.")
    mac: Mac = setting(_CALICO_MAC, _ANY_MAC)


class CalicoBridge6(CalicoBridge):
    """Calico's, for IPv6."""

    name: Interface = setting("vxlan-v6.calico", "The interface's name.")


class Flannel(Model):
    """Flannel's bridges."""

    enable: bool = setting(True, "The cluster uses it.")
    bridge4: FlannelBridge = section(FlannelBridge, "Its bridge for IPv4.")
    bridge6: Bridge = section(Bridge, "Its bridge for IPv6.")


class Calico(Model):
    """Calico's bridges, with VXLAN."""

    enable: bool = setting(False, "The cluster uses it.")
    bridge4: CalicoBridge = section(CalicoBridge, "Its bridge for IPv4.")
    bridge6: CalicoBridge6 = section(CalicoBridge6, "Its bridge for IPv6.")


class Cnis(Model):
    """The cluster's network plugin; ``calicoVxlan`` counts where both are enabled."""

    flannel: Flannel = section(Flannel, "Flannel.")
    calico_vxlan: Calico = section(Calico, "Calico with VXLAN.")


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
