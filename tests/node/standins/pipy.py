"""Pipy, as the mesh starts it: the repository of scripts, or a sidecar."""

from __future__ import annotations

import signal
import sys

from standins import sidecar
from standins.process import arguments, end_on_request, serve


def main() -> None:
    """A sidecar is given the address of its configuration; the repository is not."""
    if any("://" in word for word in sys.argv[1:]):
        sidecar.run()
    end_on_request()
    serve(int(arguments()["admin-port"]), lambda *_: (200, "{}"))
    while True:
        signal.pause()
