"""gRPC's health service, in as much HTTP/2 as one unary call needs.

A health check is one request on one stream, and the answer is always the same. So headers are not
decoded, and the reply's are written from HPACK's static table.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
# :status 200 by its index, then a name of the table (content-type) with a value of its own.
OPENING = b"\x88" + b"\x0f\x10" + bytes([16]) + b"application/grpc"
CLOSING = b"\x00" + bytes([11]) + b"grpc-status" + b"\x01" + b"0"
SERVING = b"\x08\x01"
MESSAGE = struct.pack(">BI", 0, len(SERVING)) + SERVING


def serve_health(port: int) -> None:
    """Answer SERVING, in the background."""
    server = socket.create_server(("", port), backlog=128)

    def take() -> None:
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()


def _serve(client: socket.socket) -> None:
    client.settimeout(10)
    with client, contextlib.suppress(OSError, EOFError), client.makefile("rb") as read:
        if read.read(len(PREFACE)) != PREFACE:
            return
        client.sendall(_frame(SETTINGS))
        while True:
            header = read.read(9)
            if len(header) < 9:
                return
            size = int.from_bytes(header[:3])
            kind, flags, stream = header[3], header[4], int.from_bytes(header[5:])
            body = read.read(size)
            if kind == SETTINGS and not flags & ACK:
                client.sendall(_frame(SETTINGS, flags=ACK))
            elif kind == PING and not flags & ACK:
                client.sendall(_frame(PING, body, flags=ACK))
            elif kind in (DATA, HEADERS) and flags & END_STREAM:
                client.sendall(
                    _frame(HEADERS, OPENING, flags=END_HEADERS, stream=stream)
                    + _frame(DATA, MESSAGE, stream=stream)
                    + _frame(HEADERS, CLOSING, flags=END_HEADERS | END_STREAM, stream=stream)
                )


def _frame(kind: int, body: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body
