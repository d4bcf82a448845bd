"""FSM's sidecar log: JSON objects or arrays of them, as they are posted to a collector.

Source: flomesh-io/fsm, the sidecar's codebase, logging.js. It is of HTTP only, of intercepted
connections only, and holds headers and bodies: nothing but the fields below is decoded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fsm_stack.flows.formats.from_json import counted, decoder, milliseconds, object_of
from fsm_stack.flows.row import (
    GATEWAY,
    INBOUND,
    NO_FLOW,
    OUTBOUND,
    Addresses,
    Ends,
    Format,
    PassedOverError,
    Reader,
    Row,
    as_it_is,
    port_number,
)


class _Pod(msgspec.Struct, gc=False):
    ns: str = ""
    name: str = ""


class _Service(msgspec.Struct, gc=False):
    name: str | None = None


class _Request(msgspec.Struct, gc=False):
    reqSize: int | None = None  # noqa: N815  # upstream's name


class _Response(msgspec.Struct, gc=False):
    resSize: int | None = None  # noqa: N815  # upstream's name


class _Record(msgspec.Struct, gc=False, rename="camel"):
    type: str
    local_addr: str = ""
    local_port: int = 0
    remote_addr: str = ""
    remote_port: int = 0
    req_time: float = 0
    pod: _Pod | None = None
    service: _Service | None = None
    req: _Request | None = None
    res: _Response | None = None


def reader() -> Reader:
    """Reads one entry of the log."""
    decode, addresses, ends = decoder(_Record), Addresses(), Ends()

    def read(record: bytes) -> Row:
        item = decode(record)
        local, remote = item.local_addr.encode(), item.remote_addr.encode()
        pod, service = item.pod, item.service
        known = (item.type, pod and pod.ns, pod and pod.name, service and service.name)
        end = ends.get(known)
        if end is None:
            name = f"Pod/{pod.ns}/{pod.name}" if pod and pod.name else ""
            if item.type == OUTBOUND:
                chosen = (service.name or "") if service else ""
                end = ends.of(known, OUTBOUND, name, chosen, "no")
            elif item.type == INBOUND:
                end = ends.of(known, INBOUND, name, "", "yes")
            else:
                raise PassedOverError(GATEWAY if item.type == "fgw" else NO_FLOW)
        req, res = item.req, item.res
        size = counted(req.reqSize or 0 if req else 0, res.resSize or 0 if res else 0)
        time = milliseconds(item.req_time)
        if end.way == OUTBOUND:
            source = addresses[local] if local and not end.name else None
            return (source, addresses[remote], port_number(item.remote_port), end), 1, size, time
        source = addresses[remote] if remote else None
        return (source, addresses[local], port_number(item.local_port), end), 1, size, time

    return Reader(read, as_it_is)


def _knows(record: bytes) -> Reader | None:
    found = object_of(record)
    sidecar = {"remoteAddr", "localAddr", "type"} <= found.keys()
    return reader() if sidecar or found.get("type") == "fgw" else None


FSM: Final = Format(
    name="fsm",
    title="FSM sidecar log",
    original="no",
    addresses="outbound destinations are those that the sidecar chose",
    complete=False,
    weight="HTTP requests",
    knows=_knows,
)
