"""The machine that the node runs on leaves nothing behind, however its suite ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.client import eventually

from .enter import KUBELET_WANTS
from .image import ROOT
from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .machine import Machine

pytestmark = pytest.mark.node

SUITE = """
import signal, sys
from pathlib import Path
from tests.node.machine import machine
with machine(Path(sys.argv[1])) as made:
    print(made.pid, flush=True)
    signal.pause()
"""
SETTINGS = (*KUBELET_WANTS, "net/ipv4/ip_forward")


def outside() -> dict[str, object]:
    """What a machine could change of the one around it."""
    return {
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "links": sorted(one.name for one in Path("/sys/class/net").iterdir()),
        "settings": [Path(f"/proc/sys/{name}").read_text() for name in SETTINGS],
        "groups": groups(),
    }


def groups() -> list[str]:
    """The control groups of all machines."""
    walk = os.walk("/sys/fs/cgroup")  # it leaves out what is removed meanwhile
    return sorted(path for path, _, _ in walk if Path(path).name.startswith("fsm-stack-"))


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended stays listed until its parent has asked for its code."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def disturb(made: Machine) -> Iterator[int]:
    """Leave a process, mounts, links, settings and control groups in a machine."""
    made.run("mkdir", "-p", "/run/mounted")
    made.run("mount", "-t", "tmpfs", "tmpfs", "/run/mounted")
    made.run("ip", "link", "add", "left", "type", "veth", "peer", "name", "behind")
    made.run("sh", "-c", "for f in /sys/fs/cgroup/*/; do mkdir -p $f/k8s.io/left; done")
    made.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    made.run("sh", "-c", "echo 1 > /proc/sys/vm/overcommit_memory")
    made.run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            same = (process / "ns/pid").readlink() == Path(f"/proc/{made.pid}/ns/pid").readlink()
        except OSError:  # it has ended
            continue
        if same:
            yield int(process.name)


@pytest.mark.usefixtures("home")
def test_nothing_of_a_machine_outlives_it(tmp_path: Path) -> None:
    """Not even what a container would leave that nobody stopped."""
    before = outside()
    with machine(tmp_path / "log") as made:
        processes = list(disturb(made))
        assert len(processes) > 1
        assert outside()["groups"] != before["groups"]
    assert outside() == before
    assert not any(map(alive, processes))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_machine_ends_with_the_suite_that_made_it(tmp_path: Path, how: int) -> None:
    """A suite that is killed has no time to clean up."""
    before = outside()
    suite = subprocess.Popen(
        [sys.executable, "-c", SUITE, str(tmp_path / "log")], cwd=ROOT, env=dict(os.environ),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with suite:
        assert suite.stdout is not None
        pid = int(suite.stdout.readline())
        assert alive(pid)
        suite.send_signal(how)
    eventually("the machine has ended", lambda: not alive(pid), seconds=20)
    eventually("all is as before", lambda: outside() == before, seconds=20)
