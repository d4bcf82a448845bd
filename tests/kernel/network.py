"""A pod and the world around it: two network namespaces of our own, joined by two cables.

Every address is from the ranges reserved for documentation and benchmarks, routed inside the two
namespaces only: nothing leaves them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fsm_stack.iptables.sets.ranges import address_number, ipv4_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.iptables.packet import Packet

Backend = Literal["nft", "legacy"]
BACKENDS: tuple[Backend, ...] = ("nft", "legacy")
POD_IP = "192.0.2.2"
# Interface: the pod's address, its neighbour's, the range behind it.
CABLES = {
    "eth0": (POD_IP, "192.0.2.1", "198.18.0.0/16"),
    "eth1": ("198.51.100.2", "198.51.100.1", "198.19.0.0/16"),
}
SIDECAR_PORTS = (15001, 15003)
TCP_PORTS = (80, 443, 6379, 7070, 8080, 9999, 15000, 15010, 15901, 15902, 15903, 15904)
UDP_PORTS = (53, 5300, 9999)
HOST = Path(__file__).parent / "host.py"
_TIMEOUT = 60
_COUNTER = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where a connection ended: the namespace, and the address and port it arrived at."""

    where: str
    address: str
    port: int


class Host:
    """One namespace and the process inside it."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        tcp = [*TCP_PORTS, *SIDECAR_PORTS]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, str(HOST), name, json.dumps(tcp),
             json.dumps(UDP_PORTS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def connect(self, packets: Sequence[Packet]) -> list[Arrival]:
        """Make the connections, one after the other."""
        assert self._process.stdin is not None
        requests = [asdict(packet) for packet in packets]
        self._process.stdin.write(json.dumps(requests) + "\n")
        self._process.stdin.flush()
        return [
            Arrival(where=where, address=address, port=int(port))
            for where, address, port in json.loads(self._read())
        ]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Network:
    """The pod's namespace, where rules are loaded, and the world's, which answers for all else."""

    def __init__(self, shims: Path) -> None:
        number = f"{os.getpid()}-{next(_COUNTER)}"
        self.pod_namespace, self.world_namespace = f"fsmpod-{number}", f"fsmworld-{number}"
        self._shims = shims
        for backend in BACKENDS:
            _shim(shims / backend, backend)
        for namespace in (self.pod_namespace, self.world_namespace):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        for name, (own, other, behind) in CABLES.items():
            run("ip", "link", "add", name, "netns", self.pod_namespace, "type", "veth", "peer",
                "name", name, "netns", self.world_namespace)  # fmt: skip
            for namespace, address in ((self.pod_namespace, own), (self.world_namespace, other)):
                run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", name)
                run("ip", "-n", namespace, "link", "set", name, "up")
            run("ip", "-n", self.pod_namespace, "route", "add", behind, "via", other)
            run("ip", "-n", self.world_namespace, "route", "add", "local", behind, "dev", "lo")
        self.pod = Host(self.pod_namespace, "pod")
        self.world = Host(self.world_namespace, "world")

    def close(self) -> None:
        """End both processes and remove both namespaces."""
        self.pod.close()
        self.world.close()
        for namespace in (self.pod_namespace, self.world_namespace):
            run("ip", "netns", "delete", namespace)

    def load(self, script: str, backend: Backend) -> subprocess.CompletedProcess[str]:
        """Run a script as the init container does."""
        path = f"{self._shims / backend}:{os.environ['PATH']}"
        return subprocess.run(
            ["ip", "netns", "exec", self.pod_namespace, "sh", "-c", script],
            env={"PATH": path, "POD_IP": POD_IP}, capture_output=True, text=True,
            timeout=_TIMEOUT, check=False,
        )  # fmt: skip

    def flush(self) -> None:
        """Remove every rule and chain of the nat table, of both back ends."""
        for backend in BACKENDS:
            for operation in ("-F", "-X"):
                self._iptables(backend, f"iptables-{backend}", "-t", "nat", operation)

    def save(self, backend: Backend) -> str:
        """``iptables-save`` of the pod."""
        return self._iptables(backend, f"iptables-{backend}-save", "-t", "nat")

    def listing(self, backend: Backend) -> str:
        """``iptables -S`` of the pod."""
        return self._iptables(backend, f"iptables-{backend}", "-t", "nat", "-S")

    def _iptables(self, _: Backend, *command: str) -> str:
        return run("ip", "netns", "exec", self.pod_namespace, *command)

    def connect(self, packets: Sequence[Packet]) -> list[Arrival]:
        """What the kernel does with each packet, in the order given."""
        found: dict[int, Arrival] = {}
        for direction, host in (("outbound", self.pod), ("inbound", self.world)):
            mine = [n for n, packet in enumerate(packets) if packet.direction == direction]
            if mine:
                arrivals = host.connect([packets[n] for n in mine])
                found.update(zip(mine, arrivals, strict=True))
        return [found[n] for n in range(len(packets))]


def interface_to(destination: str) -> str:
    """The interface a connection from the pod leaves by."""
    number = address_number(destination)
    assert number is not None
    for name, (own, _, behind) in CABLES.items():
        if destination == own or destination.startswith("127."):
            return "lo"
        for reachable in (behind, f"{own}/24"):
            bounds = ipv4_range(reachable)
            assert bounds is not None
            if bounds[0] <= number < bounds[1]:
                return name
    raise AssertionError(f"{destination} is not in this network")


def _shim(folder: Path, backend: Backend) -> None:
    """A folder in which ``iptables`` is one of the two back ends."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("iptables", "iptables-restore", "iptables-save"):
        real = shutil.which(name.replace("iptables", f"iptables-{backend}"))
        assert real is not None
        with contextlib.suppress(FileExistsError):
            (folder / name).symlink_to(real)


def run(*command: str) -> str:
    """A command's output; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def unavailable() -> str | None:
    """Why these tests cannot run here; None: they can."""
    if os.geteuid() != 0:
        return "kernel tests need root"
    for program in ("ip", "iptables-nft", "iptables-legacy"):
        if shutil.which(program) is None:
            return f"kernel tests need {program} (apt-get install iptables iproute2)"
    return None


@contextlib.contextmanager
def network(shims: Path) -> Iterator[Network]:
    """A network for as long as the block lasts."""
    made = Network(shims)
    try:
        yield made
    finally:
        made.close()
