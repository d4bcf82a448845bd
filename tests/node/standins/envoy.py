"""Envoy, as OSM and osm-edge start it: its listeners, and probes that it carries by their path."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standins.process import end_on_request, serve
from standins.relaying import relay
from standins.sidecar import SPEAKING, TAKING, UID, asked, forward, listen

from fsm_stack.injection.probes import KINDS, port_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.systems import System

CONFIGURATION = Path("/etc/envoy/bootstrap.yaml")


def bootstrap_configuration(pod: dict[str, Any], system: System) -> dict[str, Any]:
    """Where each probe of a pod goes, which the injector tells the sidecar in its Secret."""
    paths: dict[str, Any] = {}
    secure: dict[str, int] = {}
    for container in pod["spec"].get("containers", ()):
        for field, kind, port in KINDS:
            probe = (container.get(field) or {}).get("httpGet")
            if not probe:
                continue
            number = port_of(probe.get("port"), container)
            if probe.get("scheme") == "HTTPS":
                secure[str(port)] = number
            else:
                path = f"/{system.name}-{kind}-probe/{container['name']}"
                paths[path] = {"port": number, "path": probe.get("path") or "/"}
    return {"paths": paths, "secure": secure}


def main() -> None:
    """Take connections until the container ends."""
    end_on_request()
    assert os.getuid() == UID, f"expected to run as user {UID}, got {os.getuid()}"
    configuration = json.loads(CONFIGURATION.read_text())

    def carry(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        known = configuration["paths"].get(path)
        if known is None:
            return forward(method, path, headers, body)
        return asked(known["port"], known["path"], headers)

    for port in (*TAKING, *SPEAKING):
        listen(port)
    for port in (15901, 15902, 15903):
        target = configuration["secure"].get(str(port))
        if target is None:
            serve(port, carry)
        else:
            _pass_through(port, target)
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
