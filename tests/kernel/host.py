"""Runs inside one network namespace: answers connections, and makes those that it is told to.

Standard library only. Reads one JSON request a line, prints one JSON answer a line. Every answer to
a connection names the namespace, and the address and port at which the connection arrived.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import socket
import struct
import sys
import threading

TIMEOUT = 1.0
# Linux uapi in.h; this Python does not name it.
IP_PKTINFO = 8
NO_LINGER = struct.pack("ii", 1, 0)


def listening(tcp_ports: list[int], udp_ports: list[int]) -> selectors.BaseSelector:
    """Sockets on every port, at every address."""
    selector = selectors.DefaultSelector()
    for port in tcp_ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))  # noqa: S104  # inside a namespace of its own
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
    for port in udp_ports:
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
        receiver.bind(("0.0.0.0", port))  # noqa: S104  # inside a namespace of its own
        selector.register(receiver, selectors.EVENT_READ)
    return selector


def serve(name: str, selector: selectors.BaseSelector) -> None:
    """Answer for as long as the process lives."""
    while True:
        for key, _ in selector.select():
            answer(name, key.fileobj)  # type: ignore[arg-type]  # only sockets are registered


def answer(name: str, sock: socket.socket) -> None:
    """Say where the connection or the datagram arrived."""
    if sock.type == socket.SOCK_STREAM:
        connection, _ = sock.accept()
        address, port = connection.getsockname()
        connection.sendall(f"{name} {address} {port}\n".encode())
        connection.close()
        return
    _, ancillary, _, sender = sock.recvmsg(64, 256)
    local, destination = ("?", "?")
    for level, kind, data in ancillary:
        if level == socket.SOL_IP and kind == IP_PKTINFO:
            local = socket.inet_ntoa(data[4:8])
            destination = socket.inet_ntoa(data[8:12])
    reply = f"{name} {destination} {sock.getsockname()[1]}\n".encode()
    source = struct.pack("I4s4s", 0, socket.inet_aton(local), b"\0" * 4)
    sock.sendmsg([reply], [(socket.SOL_IP, IP_PKTINFO, source)], 0, sender)


def connect(request: dict[str, object], source_port: int) -> list[str]:
    """One connection or datagram: who answered, at which address and port; or the error."""
    kind = socket.SOCK_DGRAM if request["protocol"] == "udp" else socket.SOCK_STREAM
    # The kernel's owner match looks at the file system uid with which the socket was opened.
    os.seteuid(int(str(request["uid"])))
    try:
        family = socket.AF_INET6 if ":" in str(request["destination"]) else socket.AF_INET
        sock = socket.socket(family, kind)
    finally:
        os.seteuid(0)
    with sock:
        sock.settimeout(TIMEOUT)
        try:
            sock.bind(("", source_port))
            sock.connect((str(request["destination"]), int(str(request["port"]))))
            if kind == socket.SOCK_DGRAM:
                sock.send(b"who")
            said = sock.recv(64).decode().split()
        except OSError as error:
            return [f"nobody: {type(error).__name__}", "", "0"]
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        return said


def main() -> None:
    """Serve, then obey until the input ends."""
    name, tcp, udp = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    sockets = listening(tcp, udp)
    threading.Thread(target=serve, args=(name, sockets), daemon=True).start()
    # The same source port again only after 40,000 others: a connection must not meet the
    # decision that the kernel remembers for an older one.
    source_ports = itertools.cycle(range(20001, 60001))
    print("ready", flush=True)  # noqa: T201  # the protocol
    for line in sys.stdin:
        answers = [connect(request, next(source_ports)) for request in json.loads(line)]
        print(json.dumps(answers), flush=True)  # noqa: T201  # the protocol


if __name__ == "__main__":
    main()
