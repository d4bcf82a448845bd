"""AWS VPC flow logs, versions 2 to 5: text with a header, in a version's own or a given order.

Source: docs.aws.amazon.com/vpc, flow log records. A row is what one interface saw in one direction
in up to ten minutes; ``-`` is a value that is missing.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.flows.row import (
    EITHER,
    EPHEMERAL,
    HEADER,
    INBOUND,
    NO_FLOW,
    NOT_TCP,
    OUTBOUND,
    REFUSED,
    TIME_MAX,
    Addresses,
    BadRecordError,
    End,
    Format,
    Key,
    PassedOverError,
    Ports,
    Reader,
    Row,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_V2: Final = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport",
    "protocol", "packets", "bytes", "start", "end", "action", "log-status",
)  # fmt: skip
_V3: Final = (
    *_V2, "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr",
)  # fmt: skip
_V4: Final = (*_V3, "region", "az-id", "sublocation-type", "sublocation-id")
_V5: Final = (*_V4, "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path")
_ORDERS: Final = {b"2": _V2, b"3": _V3, b"4": _V4, b"5": _V5}
_STAMP: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,16}Z")
_NEEDED: Final = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "bytes", "end")
_MISSING: Final = b"-"
_TCP: Final = b"6"
_REJECT: Final = b"REJECT"
# What stands for fields that a log does not have; no value of one.
_ABSENT: Final = b"absent"
# Of tcp-flags, the bits of a first packet and of the answer to it.
_SYN: Final = 2
_ACK: Final = 16
_NEITHER: Final = End(EITHER, "", "", "no")
_OUT: Final = End(OUTBOUND, "", "", "no")
_IN: Final = End(INBOUND, "", "", "yes")
# The end of a row by its flow-direction, and that of the answer that it is.
_ENDS: Final = {b"egress": (_OUT, _IN), b"ingress": (_IN, _OUT)}


class _Flags(dict[bytes, "tuple[bool | None, int]"]):
    """By tcp-flags: whether it is an answer (None: unknown); the connections that it starts."""

    def __missing__(self, text: bytes) -> tuple[bool | None, int]:
        """Parse one; without the field every row counts."""
        if text == _ABSENT:
            found: tuple[bool | None, int] = (None, 1)
        else:
            bits = int(text) if text.isdigit() and len(text) <= len("255") else 0
            found = (bool(bits & _ACK), int(not bits & _ACK)) if bits & _SYN else (None, 0)
        if len(self) > len(range(256)):
            self.clear()
        self[text] = found
        return found


def _places(fields: Sequence[str]) -> dict[str, int]:
    places = {name.replace("_", "-"): place for place, name in enumerate(fields)}
    if missing := [name for name in _NEEDED if name not in places and f"pkt-{name}" not in places]:
        raise InputError(
            f"VPC flow log: expected the fields {', '.join(_NEEDED)}; missing: "
            f"{', '.join(missing)}"
        )
    return places


def reader(fields: Sequence[str]) -> Reader:
    """Reads rows whose fields have this order.

    Raises:
        InputError: one that is needed is not among them.
    """
    places, count = _places(fields), len(fields)
    source_at, target_at = (
        places.get(name, places.get(f"pkt-{name}", 0)) for name in ("srcaddr", "dstaddr")
    )
    # A field that the log does not have is one more behind the others.
    pick = itemgetter(
        places["protocol"], places.get("action", count),
        places.get("pkt-srcaddr", source_at), places.get("pkt-dstaddr", target_at),
        places["srcport"], places["dstport"], places["bytes"], places["end"],
        places.get("tcp-flags", count), places.get("flow-direction", count),
    )  # fmt: skip
    status_at = places.get("log-status", count)
    ports, flags = Ports(), _Flags()

    def read(record: bytes) -> Row:
        found = record.split()
        if len(found) != count:
            raise BadRecordError(f"expected {count} fields, got {len(found)}")
        found.append(_ABSENT)
        protocol, action, source, target, source_port, port, size, end, bits, way = pick(found)
        if protocol != _TCP:
            raise _other(protocol, found[status_at])
        if action == _REJECT:
            raise PassedOverError(REFUSED)
        if source == _MISSING:
            source = found[source_at]
        if target == _MISSING:
            target = found[target_at]
        answer, starts = flags[bits]
        if answer is None:
            # Without a first packet in it, a row from a port below the ephemeral ones to one of
            # these is the answer.
            answer = ports[source_port] < EPHEMERAL <= ports[port]
        length, time = int(size), int(end)
        if length < 0 or not 0 <= time <= TIME_MAX:
            raise BadRecordError("expected numbers of 0 or more in bytes and end")
        if answer:
            return (target, source, source_port, way, True), 0, length, time
        return (source, target, port, way, False), starts, length, time

    return Reader(read, _key_of(Addresses(), ports))


def _key_of(addresses: Addresses, ports: Ports) -> Callable[[Any], Key]:
    def key(told: Any) -> Key:  # noqa: ANN401  # of a row
        source, target, port, way, answer = told
        end = _ENDS.get(way, (_NEITHER, _NEITHER))[answer]
        return addresses[source], addresses[target], ports[port], end

    return key


def _other(protocol: bytes, status: bytes) -> ValueError:
    if protocol == b"protocol":
        return PassedOverError(HEADER)
    if status in (b"NODATA", b"SKIPDATA"):
        return PassedOverError(NO_FLOW)
    if not protocol.isdigit() or len(protocol) > len("255"):
        return BadRecordError("protocol: expected a number")
    return PassedOverError(NOT_TCP)


def _knows(record: bytes) -> Reader | None:
    found = record.split()
    names = [field.decode("ascii", "replace") for field in found]
    if {"srcaddr", "dstaddr"} <= {name.replace("_", "-").removeprefix("pkt-") for name in names}:
        return reader(names)
    # CloudWatch Logs writes the time of a row before it when it exports to a file.
    stamp = ("timestamp",) if found and _STAMP.fullmatch(found[0]) else ()
    order = _ORDERS.get(found[len(stamp)]) if len(found) > len(stamp) else None
    known = order is not None and len(stamp) + len(order) == len(found)
    return reader((*stamp, *order)) if order is not None and known else None


VPC: Final = Format(
    name="vpc",
    title="AWS VPC flow log",
    original="no",
    addresses="destinations are those after kube-proxy's choice",
    weight="rows that start a connection",
    json=False,
    knows=_knows,
    named=reader,
)
