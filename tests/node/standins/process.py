"""What every stand-in does as a process: end on request, log, serve HTTP."""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    Answer = Callable[[str, str, Mapping[str, str], bytes], tuple[int, str]]


def end_on_request() -> None:
    """The first process of a container is deaf to SIGTERM unless it listens to it."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def log(level: str, message: str, **more: object) -> None:
    """A line of JSON, as FSM's logger writes it."""
    import json  # noqa: PLC0415  # half of the stand-ins never log

    time = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"level": level, **more, "time": time, "message": message}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def serve(port: int, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
    """Answer HTTP requests on a port, in the background.

    Args:
        port: on every address.
        answer: of method, path, headers and body: status and JSON or text.
        tls: the server's certificate; None: plain HTTP.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            code, text = answer(self.command, self.path, dict(self.headers.items()), body)
            content = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_one  # noqa: N815  # the base class's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: a kubelet asks each second."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def finish_request(self, request: Any, client_address: Any) -> None:
            """Shake hands in the connection's own thread."""
            if tls is not None:
                request.settimeout(10)
                request = tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that left is no news."""

    server = Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def arguments() -> dict[str, str]:
    """The command line's `--name value` and `--name=value`; other words are left out."""
    found: dict[str, str] = {}
    words = sys.argv[1:]
    for index, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        found[name] = value if equals else following
    return found
