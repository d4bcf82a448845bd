"""The health-check helper: says whether the application accepts TCP connections."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from standins.process import end_on_request, serve
from standins.sidecar import TCP_PORT, connected

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 15904


def main() -> None:
    """Answer until the container ends."""
    end_on_request()
    serve(PORT, _answer)
    while True:
        signal.pause()


def _answer(_: str, __: str, headers: Mapping[str, str], ___: bytes) -> tuple[int, str]:
    named = {key.title(): value for key, value in headers.items()}
    port = named.get(TCP_PORT)
    return (400, "no port\n") if port is None else connected(int(port))
