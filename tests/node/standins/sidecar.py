"""The sidecar's listeners: each says which one it is and where the connection had been going.

A listener that takes connections for others speaks first and hangs up: `15001 10.1.2.3 6379`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import struct
import threading
from typing import TYPE_CHECKING

from standins.process import end_on_request, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

SO_ORIGINAL_DST = 80  # Linux uapi netfilter_ipv4.h
TAKING = (15001, 15003)
SPEAKING = (15000, 15010)
UID = 1500
ADDRESS = struct.Struct("!HH4s8x")
PROBE_SECONDS = 3
HTTP_PORT, HTTP_PATH = "Original-Http-Port", "Original-Http-Path"
TCP_PORT = "Original-Tcp-Port"


def run() -> None:
    """Take connections until the container ends."""
    end_on_request()
    assert os.getuid() == UID, f"expected to run as user {UID}, got {os.getuid()}"
    for port in (*TAKING, *SPEAKING):
        listen(port)
    for port in (15901, 15902, 15903):
        serve(port, forward)
    while True:
        signal.pause()


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


def forward(_: str, __: str, headers: Mapping[str, str], ___: bytes) -> tuple[int, str]:
    """Carry a rewritten probe to the application that its headers name."""
    named = {key.title(): value for key, value in headers.items()}
    if port := named.get(TCP_PORT):
        return connected(int(port))
    if port := named.get(HTTP_PORT):
        return asked(int(port), named.get(HTTP_PATH, "/"), headers)
    return 404, "no header says which port was meant\n"


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
    kept = {
        key: value
        for key, value in headers.items()
        if not key.title().startswith("Original-") and key.title() != "Connection"
    }
    try:
        connection.request("GET", path or "/", headers=kept)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return 503, f"{error}\n"
    finally:
        connection.close()
    return response.status, ""
