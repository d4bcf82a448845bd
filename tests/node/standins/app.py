"""The workload: listens as it is told, or does one thing and ends.

`app http:8080 https:8443 tcp:9000 grpc:9001` listens; each says `app ADDRESS PORT`, or answers
what its protocol asks. `app exit CODE` ends.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from pathlib import Path

from standins.authority import own_context
from standins.grpc_health import serve_health
from standins.process import end_on_request, serve

HEALTHY = Path("/tmp/healthy")  # noqa: S108  # in a container of its own


def main() -> None:
    """Do what the arguments say."""
    end_on_request()
    if sys.argv[1] == "exit":
        sys.exit(int(sys.argv[2]))
    HEALTHY.touch()
    for word in sys.argv[1:]:
        kind, _, number = word.partition(":")
        port = int(number)
        match kind:
            case "http":
                serve(port, _answer)
            case "https":
                serve(port, _answer, tls=own_context())
            case "tcp":
                _speak(port)
            case "grpc":
                serve_health(port)
            case _:
                sys.exit(f"{word}: expected http, https, tcp or grpc")
    while True:
        signal.pause()


def _answer(_: str, path: str, *__: object) -> tuple[int, str]:
    """Every path that ends in `ok` is well, all others are not."""
    return (200, '"app"') if path.endswith("ok") else (404, '"app"')


def _speak(port: int) -> None:
    server = socket.create_server(("", port), backlog=128)

    def take() -> None:
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                host, own = client.getsockname()[:2]
                client.sendall(f"app {host} {own}\n".encode())

    threading.Thread(target=take, daemon=True).start()
