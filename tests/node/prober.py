"""Begin connections into and out of a pod, one at a time, and say which rules counted each.

A program that the suite runs on the node's machine. A socket stays in the network namespace in
which it was made, so the same process connects from inside the pod and from outside. Only a
connection's first packet is examined by the nat table: its counters say which rules it met.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter

CLONE_NEWNET = 0x40000000
COUNTED = re.compile(r"\[(\d+):\d+\] -A (\S+) (.*)")
HEARD_SECONDS = 2
_LIBC = ctypes.CDLL(None, use_errno=True)


def enter(namespace: int) -> None:
    """Make this process's next sockets and children there."""
    if _LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def counts() -> dict[tuple[str, int], tuple[int, str]]:
    """Packets and text of each rule of the nat table, by chain and place there."""
    saved = subprocess.run(
        ["iptables-save", "-c", "-t", "nat"], capture_output=True, text=True, check=True
    )
    places: Counter[str] = Counter()
    found = {}
    for line in saved.stdout.splitlines():
        if match := COUNTED.match(line):
            places[match[2]] += 1
            found[match[2], places[match[2]]] = (int(match[1]), match[3])
    return found


def begin(packet: dict[str, object]) -> tuple[socket.socket, bool]:
    """Send a connection's first packet; the second value is whether it may be answered."""
    # The kernel's owner match looks at the user with which the socket was opened.
    os.seteuid(int(str(packet["uid"])))
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    finally:
        os.seteuid(0)
    sock.settimeout(0)
    try:
        sock.connect((str(packet["destination"]), int(str(packet["port"]))))
    except BlockingIOError:
        return sock, True
    except OSError:
        return sock, False
    return sock, True


def heard(sock: socket.socket) -> str:
    """What whoever took the connection says first."""
    with contextlib.suppress(OSError):
        sock.settimeout(HEARD_SECONDS)
        return sock.recv(100).decode(errors="replace").strip()
    return ""


def probe(packet: dict[str, object], outside: int, pod: int) -> dict[str, object]:
    """The rules that counted one connection, in the order of the listing, and what was heard."""
    enter(pod)
    before = counts()
    if packet["direction"] == "inbound":
        enter(outside)
    sock, _ = begin(packet)
    enter(pod)
    after = counts()
    said = heard(sock) if packet.get("listen") else ""
    sock.close()
    rules = [
        [chain, number, text]
        for (chain, number), (count, text) in after.items()
        if count > before[chain, number][0]
    ]
    return {"rules": rules, "heard": said}


def main() -> None:
    """Read packets, write what became of them."""
    packets = json.load(sys.stdin)
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    pod = os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY)
    json.dump([probe(packet, outside, pod) for packet in packets], sys.stdout)


if __name__ == "__main__":
    main()
