"""XNetwork, which redirects on the nodes where no init container does.

Source: flomesh-io/fsm charts/fsm/templates fsm-xnetwork.yaml and its helpers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.certificates import flag
from fsm_stack.manifests.manifest import (
    Manifest,
    Part,
    Wave,
    metadata,
    version_label,
)
from fsm_stack.manifests.pods import (
    default_affinity,
    from_pod,
    image,
    pull_secrets,
    resources,
    scheduling,
    wait_for_bootstrap,
)

if TYPE_CHECKING:
    from fsm_stack.settings.models.node_level import Bridge, Calico, Flannel, NodePaths, XnetEngine
    from fsm_stack.settings.models.stack import StackSettings

XNETWORK: Final = "fsm-xnetwork"

# From this 1.N on k3s has its CNI plugins elsewhere.
_K3S_MOVED_PLUGINS: Final = 29
_K3S_PLUGINS: Final = "/var/lib/rancher/k3s/data/cni"


def _folders(settings: StackSettings) -> NodePaths:
    """The folders of the node: those of k3s unless others are enabled, as the chart has it."""
    paths = settings.components.xnetwork.xnet.node_paths
    if paths.k8s.enable:
        return paths.k8s
    if paths.k3s.enable and settings.cluster.kubernetes_minor >= _K3S_MOVED_PLUGINS:
        return paths.k3s.model_copy(update={"cni_bin": _K3S_PLUGINS})
    return paths.k3s


def _bridges(engine: XnetEngine) -> tuple[Bridge | None, Bridge | None]:
    """The bridges for IPv4 and IPv6, where the network plugin has them."""
    cnis = engine.cnis
    plugins: tuple[Calico | Flannel, ...] = (cnis.calico_vxlan, cnis.flannel)
    plugin = next((one for one in plugins if one.enable), None)
    if plugin is None:
        return None, None
    return (
        plugin.bridge4 if plugin.bridge4.enable else None,
        plugin.bridge6 if plugin.bridge6.enable else None,
    )


def _common(settings: StackSettings) -> list[str]:
    features = settings.components.xnetwork.xnet.features
    return [
        *("--verbosity", settings.observability.fsm_log_level),
        *("--mesh-name", settings.mesh_name),
        *("--fsm-version", version_label(settings)),
        *("--fsm-namespace", settings.namespace),
        flag("enable-mesh", on=features.mesh.enable),
        flag("enable-e4lb", on=features.e4lb.enable),
    ]


def _bridge_names(settings: StackSettings) -> list[str]:
    arguments = []
    for family, bridge in zip(
        ("ipv4", "ipv6"), _bridges(settings.components.xnetwork.xnet), strict=True
    ):
        arguments += [f"--cni-{family}-bridge-name", bridge.name if bridge else ""]
    return arguments


def _engine_arguments(settings: StackSettings) -> list[str]:
    engine = settings.components.xnetwork.xnet
    mesh, balancer = engine.features.mesh, engine.features.e4lb
    folders, bridges = _folders(settings), _bridges(engine)
    ports = mesh.filter.ports
    flushes, tracked = [], engine.flush.conntrack
    for protocol, flush in (("tcp", tracked.tcp), ("udp", tracked.udp)):
        option = f"--flush-{protocol}-conn-track"
        flushes += [
            *(f"{option}-cron-tab", flush.crontab),
            *(f"{option}-idle-seconds", str(flush.idle_seconds)),
            *(f"{option}-batch-size", str(flush.batch_size)),
        ]
    macs = []
    for family, bridge in zip(("ipv4", "ipv6"), bridges, strict=True):
        macs += [f"--cni-{family}-bridge-mac", bridge.mac if bridge else ""]
    return [
        *_common(settings),
        *("--mesh-cfg-ipv4-magic", mesh.magic.ipv4),
        *("--mesh-cfg-ipv6-magic", mesh.magic.ipv6),
        *("--e4lb-cfg-ipv4-magic", balancer.magic.ipv4),
        *("--e4lb-cfg-ipv6-magic", balancer.magic.ipv6),
        *("--mesh-filter-port-inbound", ports.inbound),
        *("--mesh-filter-port-outbound", ports.outbound),
        *(f"--mesh-exclude-namespace={name}" for name in mesh.exclude_namespaces),
        *flushes,
        *("--node-path-cni-bin", folders.cni_bin),
        *("--node-path-cni-netd", folders.cni_netd),
        *("--node-path-sys-fs", folders.sys_fs),
        *("--node-path-sys-run", folders.sys_run),
        *_bridge_names(settings),
        *macs,
    ]


def _mount(volume: str, path: str, *, both_ways: bool = True) -> dict[str, Any]:
    """A folder of the node; what either side mounts in it shows on the other."""
    propagation = {"mountPropagation": "Bidirectional"} if both_ways else {}
    return {"mountPath": path, "name": volume, **propagation}


def _manager(settings: StackSettings) -> dict[str, Any]:
    return {
        "name": "fsm-xmgt",
        **image(settings, "xnetmgmt"),
        "command": ["/fsm-xnet-mgmt"],
        "args": [
            *_common(settings),
            *("--trust-domain", settings.mesh.trust_domain),
            *_bridge_names(settings),
        ],
        "env": [
            from_pod("NODE_NAME", "spec.nodeName"),
            from_pod("NODE_HOSTIP", "status.hostIP"),
            from_pod("NODE_PODIP", "status.podIP"),
        ],
        "resources": resources(settings.components.xnetwork.xmgt.resources),
        "securityContext": {"privileged": True},
        "volumeMounts": [_mount("host-sys-fs", "/host/sys/fs"), _mount("host-run", "/host/run")],
    }


def _engine(settings: StackSettings) -> dict[str, Any]:
    return {
        "name": "fsm-xnet",
        **image(settings, "xnet"),
        "command": ["/fsm-xnet-engine"],
        "args": _engine_arguments(settings),
        "env": [from_pod("NODE_NAME", "spec.nodeName")],
        "resources": resources(settings.components.xnetwork.xnet.resources),
        "securityContext": {"privileged": True},
        "volumeMounts": [
            _mount("host-cni-bin", "/host/cni/bin", both_ways=False),
            _mount("host-cni-netd", "/host/cni/net.d", both_ways=False),
            _mount("host-sys-fs", "/host/sys/fs"),
            _mount("host-run", "/host/run"),
            _mount("host-proc", "/host/proc"),
        ],
    }


def xnetwork(settings: StackSettings) -> tuple[Manifest, ...]:
    """The DaemonSet of NodeLevel interception, where the stack has that."""
    if not settings.node_level:
        return ()
    wanted, folders = settings.components.xnetwork, _folders(settings)
    volumes = {
        "host-cni-bin": folders.cni_bin,
        "host-cni-netd": folders.cni_netd,
        "host-sys-fs": folders.sys_fs,
        "host-proc": folders.sys_proc,
        "host-run": folders.sys_run,
    }
    pod = {
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "priorityClassName": "system-node-critical",
        "restartPolicy": "Always",
        "serviceAccountName": settings.mesh.release_name,
        "initContainers": [wait_for_bootstrap(settings, "fsm-init", wanted.init_resources)],
        "containers": [_manager(settings), _engine(settings)],
        "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in volumes.items()],
        **scheduling(wanted, default_affinity(XNETWORK), pull_secrets(settings)),
    }
    daemon_set = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata(settings, XNETWORK, app=XNETWORK),
        "spec": {
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": XNETWORK}},
            "template": {"metadata": {"labels": {"app": XNETWORK}}, "spec": pod},
        },
    }
    return (Manifest(object=daemon_set, part=Part.CONTROL_PLANE, wave=Wave.CONTROL_PLANE),)
