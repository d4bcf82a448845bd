"""Envoy, as OSM and osm-edge start it: its listeners, and probes that it carries by their path."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from standins.process import end_on_request, serve
from standins.relaying import relay
from standins.sidecar import asked, listen_all

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIGURATION = Path("/etc/envoy/bootstrap.yaml")


def main() -> None:
    """Take connections until the container ends."""
    end_on_request()
    configuration = json.loads(CONFIGURATION.read_text())

    def carry(_: str, path: str, headers: Mapping[str, str], __: bytes) -> tuple[int, str]:
        known = configuration["paths"].get(path)
        if known is None:
            return 404, "no probe has this path\n"
        return asked(known["port"], known["path"], headers)

    listen_all()
    for port in {one["listener"] for one in configuration["paths"].values()}:
        serve(port, carry)
    for port, target in configuration["secure"].items():
        _pass_through(int(port), target)
    while True:
        signal.pause()


def _pass_through(port: int, target: int) -> None:
    """Carry encrypted bytes to the application, which alone can read them."""
    server = socket.create_server(("", port), backlog=128)

    def take() -> None:
        while True:
            client, _ = server.accept()
            address = ("127.0.0.1", target)
            threading.Thread(target=relay, args=(client, address), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
