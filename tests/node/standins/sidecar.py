"""The sidecar's listeners: each says which one it is and where the connection had been going.

A listener that takes connections for others speaks first and hangs up: `15001 10.1.2.3 6379`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standins.process import end_on_request, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

SO_ORIGINAL_DST = 80  # Linux uapi netfilter_ipv4.h
TAKING = (15001, 15003)
SPEAKING = (15000, 15010)
UID = 1500
ADDRESS = struct.Struct("!HH4s8x")
PROBE_SECONDS = 3
HELPER_PORT = 15904
TCP_PORT = "Original-Tcp-Port"
CONFIGURATION = Path("/etc/pipy/bootstrap.yaml")


def run() -> None:
    """Take connections until the container ends."""
    end_on_request()
    listen_all()
    for port, known in json.loads(CONFIGURATION.read_text())["listeners"].items():
        serve(int(port), partial(answer, known))
    while True:
        signal.pause()


def listen_all() -> None:
    """Open the listeners that every sidecar has."""
    assert os.getuid() == UID, f"expected to run as user {UID}, got {os.getuid()}"
    for port in (*TAKING, *SPEAKING):
        listen(port)


def listen(port: int) -> None:
    """Say who took a connection, in the background."""
    server = socket.create_server(("", port), backlog=128)

    def take() -> None:
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(f"{port} {original(client)}\n".encode())
                client.shutdown(socket.SHUT_WR)
                client.settimeout(1)
                while client.recv(1 << 12):  # an answer that is reset is not read
                    pass

    threading.Thread(target=take, daemon=True).start()


def original(client: socket.socket) -> str:
    """Address and port that the client had asked for, before any rule changed them."""
    try:
        found = client.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, ADDRESS.size)
    except OSError:  # nothing was changed
        host, port = client.getsockname()[:2]
        return f"{host} {port}"
    _, port, address = ADDRESS.unpack(found)
    return f"{socket.inet_ntoa(address)} {port}"


def answer(
    known: Mapping[str, Any], _: str, path: str, headers: Mapping[str, str], __: bytes
) -> tuple[int, str]:
    """Carry a rewritten probe to the application, or to the helper with the header it reads."""
    if known["ask"] == "helper":
        return asked(HELPER_PORT, path, headers)
    return asked(known["port"], known["path"], headers)


def connected(port: int) -> tuple[int, str]:
    """Whether somebody accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), PROBE_SECONDS).close()
    except OSError as error:
        return 503, f"{error}\n"
    return 200, ""


def asked(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """What the application itself answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    kept = {key: value for key, value in headers.items() if key.title() != "Connection"}
    try:
        connection.request("GET", path or "/", headers=kept)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return 503, f"{error}\n"
    finally:
        connection.close()
    return response.status, ""
