"""A Kubernetes of one node: control plane, containerd, kubelet, kube-proxy and a name server.

Everything runs in a machine of its own (`machine.py`). Pods are real: runc starts them, a CNI
plugin gives them a network, kube-proxy leads them to Services.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.apiserver.apiserver import (
    HOST_KUBECONFIG,
    Host,
    Program,
    ServerError,
    find,
    serve,
    with_policies,
)
from tests.apiserver.client import ApiError, eventually

from .image import APP, PAUSE
from .machine import ADDRESS, HERE, Machine, cni_folder, machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

    from .image import Images

POD_RANGE = "10.244.0.0/24"
NODE = "node"
CONTAINERD = "/run/containerd/containerd.sock"
READY_SECONDS = 120  # 12 s on two busy cores
IMPORT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The node: its API server, and the machine that it is."""

    api: Api
    machine: Machine
    home: Path
    images: Images

    def process(self, pod: dict[str, Any], container: str) -> int:
        """The process id, on the machine, of a container's first process."""
        statuses = pod["status"]["containerStatuses"]
        found = next(one for one in statuses if one["name"] == container)
        identity = found["containerID"].removeprefix("containerd://")
        tasks = self.machine.run("ctr", "-n", "k8s.io", "task", "list")
        rows = [line.split() for line in tasks.splitlines()]
        return next(int(row[1]) for row in rows if row[0] == identity)

    def in_network(self, pod: dict[str, Any], *command: str, given: str = "") -> str:
        """Run the machine's own command in a pod's network."""
        first = pod["spec"]["containers"][0]["name"]
        pid = str(self.process(pod, first))
        return self.machine.run("nsenter", "--target", pid, "--net", *command, given=given)

    def execute(self, pod: dict[str, Any], container: str, *command: str, user: int = 0) -> str:
        """Run a container's own command in it, as a user of its own."""
        statuses = pod["status"]["containerStatuses"]
        found = next(one for one in statuses if one["name"] == container)
        identity = found["containerID"].removeprefix("containerd://")
        return self.machine.run(
            "ctr", "-n", "k8s.io", "task", "exec", "--exec-id", f"test-{id(command)}",
            "--user", str(user), identity, *command,
        )  # fmt: skip


@contextmanager
def node(home: Path, images: Images) -> Iterator[Node]:
    """Run the node until the block ends; then nothing of it is left.

    Args:
        home: an empty directory of the caller's: certificates, configurations, logs.
        images: what its pods run.

    Raises:
        NotInstalledError: one of Kubernetes' programs is missing; nothing was started.
        ServerError: a program ended, or was not ready in time.
    """
    kubelet, scheduler, proxy = (
        find(name, target="test-node") for name in ("kubelet", "kube-scheduler", "kube-proxy")
    )
    containerd, python = find("containerd"), find(sys.executable)
    with ExitStack() as stack:
        own = stack.enter_context(machine(home / "machine.log"))
        host = Host(address=ADDRESS, prefix=own.prefix, reachable=own.reachable)

        def run(binary: Path, **flags: str) -> Program:
            return stack.enter_context(Program.running(binary, home, flags, prefix=own.prefix))

        programs = [run(containerd, config=_containerd(home), address=CONTAINERD)]
        _import(own, programs[0], images)
        api = stack.enter_context(serve(home, controllers=True, host=host, more=with_policies()))
        kubeconfig = str(home / HOST_KUBECONFIG)
        programs.append(run(scheduler, kubeconfig=kubeconfig, leader_elect="false"))
        programs.append(run(proxy, config=_kube_proxy(home, kubeconfig)))
        dns = [*own.prefix, str(python), "-I", str(HERE / "dns.py"), ADDRESS, kubeconfig]
        programs.append(stack.enter_context(Program.started("dns", dns, home)))
        programs.append(
            run(
                kubelet, config=_kubelet(home), kubeconfig=kubeconfig,
                hostname_override=NODE, node_ip=ADDRESS,
            )
        )  # fmt: skip
        _wait_ready(api, programs)
        yield Node(api=api, machine=own, home=home, images=images)


def _wait_ready(api: Api, programs: list[Program]) -> None:
    which = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}

    def ready() -> bool:
        for program in programs:
            if (code := program.process.poll()) is not None:
                raise ServerError(f"{program.name} ended: {code}\n{program.log_tail()}")
        try:
            conditions = api.get(which)["status"].get("conditions", ())
        except ApiError:
            return False
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    try:
        eventually("the node is Ready", ready, seconds=READY_SECONDS)
    except TimeoutError as error:
        raise ServerError(f"{error}\n{programs[-1].log_tail()}") from error


def _import(own: Machine, containerd: Program, images: Images) -> None:
    def listening() -> bool:
        if (code := containerd.process.poll()) is not None:
            raise ServerError(f"containerd ended: {code}\n{containerd.log_tail()}")
        return own.inside(CONTAINERD).exists()

    eventually("containerd listens", listening, seconds=IMPORT_SECONDS)
    manage = ("ctr", "-n", "k8s.io", "images")
    for archive in images.archives:
        own.run(*manage, "import", "--snapshotter", "overlayfs", str(archive))
    for name in images.pinned:
        own.run(*manage, "tag", APP, name)


def _containerd(home: Path) -> str:
    """Containerd's configuration.

    A missing image fails at once: nothing leads out of the machine's network. Without the
    capability to lower a score, `restrict_oom_score_adj` lets containers start all the same.
    """
    folder = home / "cni"
    folder.mkdir()
    network = {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                # Each pod's packets are routed, so kube-proxy sees them without a bridge's help.
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
        ],
    }
    (folder / "10-pods.conflist").write_text(json.dumps(network))
    file = home / "containerd.toml"
    file.write_text(f"""\
version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni_folder()}"
  conf_dir = "{folder}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
""")
    return str(file)


def _kubelet(home: Path) -> str:
    file = home / "kubelet.json"
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},  # its port is in a network of its own
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "evictionHard": {"memory.available": "10Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "oomScoreAdj": 0,
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "10s",
        "serializeImagePulls": False,
        "volumePluginDir": "/var/lib/kubelet/plugins/volume",
    }
    file.write_text(json.dumps(config))
    return str(file)


def _kube_proxy(home: Path, kubeconfig: str) -> str:
    file = home / "kube-proxy.json"
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE,
        "clusterCIDR": POD_RANGE,
        "clientConnection": {"kubeconfig": kubeconfig},
        "oomScoreAdj": 0,
        # These would change the whole machine's settings.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "200ms", "syncPeriod": "10s"},
    }
    file.write_text(json.dumps(config))
    return str(file)
