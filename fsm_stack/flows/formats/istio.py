"""Istio's access log in JSON, as its sidecars print it.

Source: istio pilot/pkg/model/telemetry_logging.go. What a pod asked for is the outbound
listener's local address; Envoy writes every value as a text, and ``-`` for one that is missing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fsm_stack.flows.formats.from_json import counted, decoder, object_of, seconds
from fsm_stack.flows.row import (
    INBOUND,
    OUTBOUND,
    Addresses,
    BadRecordError,
    End,
    Format,
    Ports,
    Reader,
    Row,
    as_it_is,
)

_MISSING: Final = (None, "", "-")
_LOCAL: Final = "downstream_local_address"
_REMOTE: Final = "downstream_remote_address"
_ENDPOINTS_MAX: Final = 100_000
_OUT: Final = End(OUTBOUND, "", "", "yes")
_IN: Final = End(INBOUND, "", "", "yes")


class _Record(msgspec.Struct, gc=False):
    downstream_local_address: str | None
    downstream_remote_address: str | None = None
    upstream_cluster: str | None = None
    start_time: str = ""
    bytes_received: int | str | None = 0
    bytes_sent: int | str | None = 0


class _Endpoints(dict[str, "tuple[int, int]"]):
    """``ADDRESS:PORT`` as numbers, each parsed once."""

    def __init__(self) -> None:
        super().__init__()
        self._addresses, self._ports = Addresses(), Ports()

    def __missing__(self, text: str) -> tuple[int, int]:
        address, colon, port = text.rpartition(":")
        if not colon:
            raise BadRecordError(f"{_LOCAL}, {_REMOTE}: expected ADDRESS:PORT")
        if len(self) >= _ENDPOINTS_MAX:
            self.clear()
        self[text] = (self._addresses[address.strip("[]").encode()], self._ports[port.encode()])
        return self[text]


def reader() -> Reader:
    """Reads one access."""
    decode, targets, addresses = decoder(_Record), _Endpoints(), Addresses()

    def read(record: bytes) -> Row:
        item = decode(record)
        target, port = targets[item.downstream_local_address or ""]
        origin = item.downstream_remote_address
        source = None
        if origin not in _MISSING:
            source = addresses[str(origin).rpartition(":")[0].strip("[]").encode()]
        inbound = (item.upstream_cluster or "")[:7].lower() == INBOUND
        size = counted(_size(item.bytes_received), _size(item.bytes_sent))
        end = _IN if inbound else _OUT
        return (source, target, port, end), 1, size, seconds(item.start_time)

    return Reader(read, as_it_is)


def _size(value: int | str | None) -> int:
    if isinstance(value, int):
        return value
    if value in _MISSING:
        return 0
    return int(value)


def _knows(record: bytes) -> Reader | None:
    return reader() if _LOCAL in object_of(record) else None


ISTIO: Final = Format(
    name="istio",
    title="Istio access log",
    original="yes",
    addresses="destinations are those that pods asked for",
    complete=False,
    weight="requests",
    knows=_knows,
)
