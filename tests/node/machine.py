"""The machine inside the machine, as the suite sees it: run a command there, reach a port there."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.apiserver.apiserver import SERVICE_RANGE
from tests.apiserver.client import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ADDRESS = "10.88.0.1"
START_SECONDS = 20
END_SECONDS = 60
RUN_SECONDS = 60
_NUMBERS = itertools.count()
# Each process that is started there joins the node's control group, in either version's layout.
_JOIN = (
    "for f in /sys/fs/cgroup/*/cgroup.procs; do "
    'case $f in */k8s.io/*|*/kubepods*) ;; *) echo 0 >"$f";; esac; done; exec "$@"'
)


def unavailable() -> str | None:
    """Why no node can run here; None: it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a node needs Linux and root"
    wanted = {
        "containerd": "containerd",
        "ctr": "containerd",
        "runc": "runc",
        "unshare": "util-linux",
        "nsenter": "util-linux",
        "ip": "iproute2",
        "iptables-nft": "iptables",
        "openssl": "openssl",
        "busybox": "busybox-static",
    }
    for program, package in wanted.items():
        if shutil.which(program) is None:
            return f"a node needs {program} (apt-get install {package})"
    if cni_folder() is None:
        return "a node needs the CNI plugins (apt-get install containernetworking-plugins)"
    if not os.access("/sys/fs/cgroup", os.W_OK):
        return "a node needs control groups that can be written: /sys/fs/cgroup is read-only"
    tried = ["unshare", "--net", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(tried, capture_output=True, check=False).returncode != 0:
        return "a node needs the right to make namespaces, which a plain container has not"
    return None


def cni_folder() -> Path | None:
    """Where the plugins are: Debian's place, or upstream's."""
    places = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
    return next((one for one in places if (one / "ptp").exists()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Namespaces of network, mounts, processes, control groups, host name, with one process."""

    pid: int

    @property
    def prefix(self) -> tuple[str, ...]:
        """What makes a command run there."""
        enter = ("--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup")
        return ("nsenter", "--target", str(self.pid), *enter, "sh", "-c", _JOIN, "sh")

    def run(self, *command: str, given: str = "", check: bool = True) -> str:
        """A command's output; it must succeed unless `check` is off."""
        done = subprocess.run(
            [*self.prefix, *command], input=given, capture_output=True, text=True,
            timeout=RUN_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, path: str) -> Path:
        """A file there, as this process can open it."""
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    @contextmanager
    def reachable(self, port: int) -> Iterator[int]:
        """A port on our loopback interface that leads to a port there."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            command = [
                sys.executable,
                "-I",
                str(HERE / "relay.py"),
                str(number),
                ADDRESS,
                str(port),
            ]
            enter = ("nsenter", "--target", str(self.pid), "--net")
            relay = subprocess.Popen(
                [*enter, *command], stdin=subprocess.DEVNULL, pass_fds=(number,)
            )
            try:
                yield listener.getsockname()[1]
            finally:
                relay.kill()
                relay.wait()


@contextmanager
def machine(log: Path) -> Iterator[Machine]:
    """A new machine for as long as the block lasts; nothing that ran in it outlives it."""
    name = f"fsm-stack-{os.getpid()}-{next(_NUMBERS)}"
    with log.open("wb") as output:
        outer = subprocess.Popen(
            [sys.executable, "-I", str(HERE / "enter.py"), "outer", name, ADDRESS, SERVICE_RANGE],
            stdin=subprocess.PIPE, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C reaches the suite, which then ends it in order
        )  # fmt: skip
    try:
        yield eventually(
            "the machine's namespaces are set up",
            lambda: _ready(outer, log),
            seconds=START_SECONDS,
        )
    finally:
        assert outer.stdin is not None
        outer.stdin.close()
        outer.wait(END_SECONDS)


def _ready(outer: subprocess.Popen[bytes], log: Path) -> Machine | None:
    assert outer.poll() is None, f"the machine ended:\n{log.read_text(errors='replace')}"
    for unshare in _children(outer.pid):
        for pid in _children(unshare):
            if Path(f"/proc/{pid}/root/run/ready").exists():
                return Machine(pid=pid)
    return None


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
