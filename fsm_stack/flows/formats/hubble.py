"""Hubble's flows as JSON lines: ``hubble observe -o jsonpb``, or the exporter's file.

Source: cilium api/v1/flow/flow.proto and pkg/hubble/exporter. A field that is absent has its zero
value; a field mask may have dropped any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from fsm_stack.flows.formats.from_json import decoder, object_of, seconds
from fsm_stack.flows.row import (
    EITHER,
    INBOUND,
    NO_FLOW,
    NOT_TCP,
    OUTBOUND,
    REFUSED,
    Addresses,
    BadRecordError,
    Ends,
    Format,
    Key,
    Original,
    PassedOverError,
    Reader,
    Row,
    Way,
    port_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_WAYS: Final[dict[str, Way]] = {"EGRESS": OUTBOUND, "INGRESS": INBOUND}
_ORIGINAL: Final[dict[Way, Original]] = {OUTBOUND: "no", INBOUND: "yes", EITHER: "no"}
_REFUSED: Final = frozenset({"DROPPED", "ERROR"})
_REPLY: Final = "a reply: its connection is counted"
_MARKS: Final = frozenset({"l4", "IP", "traffic_direction", "is_reply", "event_type", "Type"})


class _Addresses(msgspec.Struct, gc=False):
    source: str = ""
    destination: str = ""


class _Flags(msgspec.Struct, gc=False):
    SYN: bool = False
    ACK: bool = False


class _Tcp(msgspec.Struct, gc=False):
    destination_port: int = 0
    flags: _Flags | None = None


class _Transport(msgspec.Struct, gc=False):
    TCP: _Tcp | None = None


class _Workload(msgspec.Struct, gc=False):
    name: str = ""
    kind: str = ""


class _Endpoint(msgspec.Struct, gc=False):
    namespace: str = ""
    pod_name: str = ""
    workloads: list[_Workload] = []


class _Service(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""


class _Flow(msgspec.Struct, gc=False):
    time: str = ""
    verdict: str = ""
    IP: _Addresses | None = None
    l4: _Transport | None = None
    source: _Endpoint | None = None
    destination: _Endpoint | None = None
    Type: str = ""
    traffic_direction: str = ""
    is_reply: bool | None = None
    destination_service: _Service | None = None
    trace_observation_point: str = ""


class _Record(_Flow, gc=False):
    flow: _Flow | None = None


def reader() -> Reader:
    """Reads one flow."""
    decode = decoder(_Record)

    def read(record: bytes) -> Row:
        item = decode(record)
        flow = item.flow or item
        tcp = flow.l4.TCP if flow.l4 else None
        if tcp is None or flow.Type == "SOCK":
            raise _other(flow, bare=flow is item)
        if flow.is_reply:
            raise PassedOverError(_REPLY)
        if flow.verdict in _REFUSED:
            raise PassedOverError(REFUSED)
        pair = flow.IP
        if pair is None:
            raise BadRecordError("expected the field IP; a field mask may have dropped it")
        way = flow.traffic_direction
        near = flow.destination if way == "INGRESS" else flow.source
        place = kind = name = ""
        if near is not None:
            place, owners = near.namespace, near.workloads
            kind, name = (owners[0].kind, owners[0].name) if owners else ("Pod", near.pod_name)
        # A connection is met at several points; where it leaves its endpoint is one too many.
        # A request is told beside the connection that it is made over.
        flags = tcp.flags
        first = flow.Type != "L7" if flags is None else flags.SYN and not flags.ACK
        starts = 1 if first and flow.trace_observation_point[:5] != "FROM_" else 0
        service = flow.destination_service
        told = (
            way,
            pair.source if way != "EGRESS" or not name else "",
            pair.destination,
            tcp.destination_port,
            place,
            kind,
            name,
            service and (service.namespace, service.name),
        )
        return told, starts, 0, seconds(flow.time)

    return Reader(read, _key_of(Addresses(), Ends()))


def _key_of(addresses: Addresses, ends: Ends) -> Callable[[Any], Key]:
    def key(told: Any) -> Key:  # noqa: ANN401  # of a row
        way, source, target, port, place, kind, name, service = told
        known = (way, place, kind, name, service)
        end = ends.get(known)
        if end is None:
            meant = _WAYS.get(way, EITHER)
            whom = f"{kind or 'Workload'}/{place}/{name}" if meant and name else ""
            front = f"{service[0]}/{service[1]}" if service and service[1] else ""
            end = ends.of(known, meant, whom, front, _ORIGINAL[meant])
        near = addresses[source.encode()] if source else None
        return near, addresses[target.encode()], port_number(port), end

    return key


def _other(flow: _Flow, *, bare: bool) -> PassedOverError:
    """Why a record without a connection is passed over."""
    if flow.Type == "SOCK":  # a socket's address, before and after it was translated
        return PassedOverError(NO_FLOW)
    return PassedOverError(NO_FLOW if bare and flow.IP is None else NOT_TCP)


def _knows(record: bytes) -> Reader | None:
    found = object_of(record)
    flow = found.get("flow", found)
    known = isinstance(flow, dict) and "verdict" in flow and len(_MARKS & flow.keys()) > 1
    return reader() if known else None


HUBBLE: Final = Format(
    name="hubble",
    title="Hubble flows",
    original="no",
    addresses="destinations are those after Cilium's choice of an endpoint",
    knows=_knows,
)
