"""A machine inside the machine: a process in namespaces of its own, and its end.

Run as a program by `machine.py`. The outer half makes a control group and starts the inner half in
new namespaces; it waits until its input ends, which it also does when the suite is killed, ends
the inner half by its process id, and removes the control group. Every process of the node lives
in the inner half's process namespace, so the kernel ends them with it: mounts, interfaces, rules
and settings of the network go the same way.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
LEAF = "node"  # with version 2: the node's own processes, beside those of its pods
# A new cpuset has neither processors nor memory until somebody names them.
CPUSET = ("cpuset.cpus", "cpuset.mems")
# What the kubelet would write into the whole machine's settings, it finds already written here.
KUBELET_WANTS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Where the node's programs leave files. A mount point that is missing is not made: /var/lib is
# everywhere, what they make below it vanishes with the mount.
VOLATILE = ("/run", "/var/lib", "/var/log")
NODE_LINK, NODE_NAME = "node0", "node"
ENDING_SECONDS = 30


def outer(group: str, address: str, services: str) -> None:
    """Start the inner half; when the input ends, end it and remove what it was in."""
    folders = _groups(group)
    for folder in folders:
        _make(folder)
    into = " ".join(f"echo $$ > {folder}/cgroup.procs;" for folder in folders)
    unshare = "unshare --net --mount --pid --fork --uts --ipc --cgroup --kill-child"
    command = f'{into} exec {unshare} "$@"'
    inside = [sys.executable, "-I", __file__, "inner", address, services]
    with subprocess.Popen(["sh", "-c", command, "sh", *inside], stdin=subprocess.DEVNULL) as child:
        try:
            # The end of the input, or of the child: whatever comes first.
            while child.poll() is None and not _input_ended():
                _follow(folders, child.pid)
        finally:
            child.kill()
    for folder in folders:
        _remove(folder)


def _input_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 1)
    return bool(readable) and not sys.stdin.buffer.read1(1)


def _groups(name: str) -> list[Path]:
    """The control group's folder, or with version 1 its folder under each controller.

    In version 1 it is a child of the suite's own group, whose limits then hold for the node, too.
    """
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / name]
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        mount = CGROUPS / controllers.removeprefix("name=")
        if controllers and (mount / own.lstrip("/") / "tasks").exists():
            found.append(mount / own.lstrip("/") / name)
    return found


def _unified(folder: Path) -> bool:
    return (folder.parent / "cgroup.controllers").exists() and folder.parent == CGROUPS


def _follow(folders: list[Path], pid: int) -> None:
    """In version 2 a group with children holds no process: go where the inner half has gone."""
    for folder in folders:
        leaf = folder / LEAF / "cgroup.procs"
        if _unified(folder) and leaf.exists() and leaf.read_text():
            leaf.write_text(str(pid))


def _make(folder: Path) -> None:
    folder.mkdir()
    for name in CPUSET:
        if (folder / name).exists() and not _unified(folder):
            (folder / name).write_text((folder.parent / name).read_text())


def _remove(folder: Path) -> None:
    """Remove the group and its children; the kernel refuses while a process is still ending."""
    deadline = time.monotonic() + ENDING_SECONDS
    for path, _, _ in os.walk(folder, topdown=False):
        while Path(path).exists():
            try:
                Path(path).rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def inner(address: str, services: str) -> None:
    """Set the namespaces up, say so, and live: the first process of its process namespace."""
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    _mount_system()
    for path in VOLATILE:
        _run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", path)
    _hide_settings()
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", NODE_LINK, "type", "veth", "peer", "name", f"{NODE_LINK}-peer")
    _run("ip", "address", "add", f"{address}/24", "dev", NODE_LINK)
    for link in (NODE_LINK, f"{NODE_LINK}-peer"):
        _run("ip", "link", "set", link, "up")
    # The server reaches webhooks at addresses that no interface has: rules change them on the way.
    _run("ip", "route", "add", services, "dev", NODE_LINK)
    socket.sethostname(NODE_NAME)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/run/ready").touch()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:  # containers whose shim has ended become our children
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
            continue
        signal.sigtimedwait({signal.SIGCHLD}, 1)


def _mount_system() -> None:
    """The new network namespace's own /sys, and the control group as the root of its kind."""
    controllers = [
        one.name
        for one in sorted(CGROUPS.iterdir())
        if (one / "tasks").exists() and not one.is_symlink()  # a second name of one of two in one
    ]
    unified = (CGROUPS / "cgroup.controllers").exists()
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    if unified:
        _run("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))
        (CGROUPS / LEAF).mkdir()
        (CGROUPS / LEAF / "cgroup.procs").write_text("0")
        return
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(CGROUPS))
    for name in controllers:
        (CGROUPS / name).mkdir()
        option = f"none,name={name}" if name == "systemd" else name
        _run("mount", "-t", "cgroup", "-o", option, "cgroup", str(CGROUPS / name))


def _hide_settings() -> None:
    """Files of our own over the machine-wide settings that the kubelet writes."""
    folder = Path("/run/settings")
    folder.mkdir()
    for name, value in KUBELET_WANTS.items():
        file = folder / name.replace("/", "-")
        file.write_text(f"{value}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{name}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    {"outer": outer, "inner": inner}[role](*words)
