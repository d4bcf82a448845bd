"""What finally happens to a connection: three answers, and no fourth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from fsm_stack.well_known import INBOUND_LISTENER_PORT, OUTBOUND_LISTENER_PORT

Listener = Literal["outbound", "inbound"]
_LISTENERS: dict[int, Listener] = {
    OUTBOUND_LISTENER_PORT: "outbound",
    INBOUND_LISTENER_PORT: "inbound",
}


@dataclass(frozen=True, slots=True, order=True)
class ToListener:
    """Sent to a listener of the sidecar."""

    listener: Listener
    port: int


@dataclass(frozen=True, slots=True, order=True)
class Rewritten:
    """Sent to another address, to another port, or both; None keeps what the packet has."""

    address: str | None
    port: int | None


@dataclass(frozen=True, slots=True, order=True)
class Untouched:
    """Left as it is: the sidecar never sees it."""


Verdict = ToListener | Rewritten | Untouched


def redirected_to(port: int) -> Verdict:
    """What ``REDIRECT --to-port`` means: a listener of the sidecar, or another local port."""
    listener = _LISTENERS.get(port)
    return ToListener(listener, port) if listener else Rewritten("127.0.0.1", port)


def sent_to(destination: str) -> Rewritten:
    """What ``DNAT --to-destination ADDRESS[:PORT]`` means."""
    address, colon, port = destination.partition(":")
    return Rewritten(address, int(port) if colon else None)


def verdict_text(verdict: Verdict) -> str:
    """The verdict for people: ``to the outbound listener (15001)``."""
    match verdict:
        case ToListener():
            return f"to the {verdict.listener} listener ({verdict.port})"
        case Rewritten():
            address = verdict.address or "the same address"
            return f"rewritten to {address}" + (f":{verdict.port}" if verdict.port else "")
        case Untouched():
            return "untouched"
        case _:
            assert_never(verdict)
