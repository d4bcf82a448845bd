"""Calico's Goldmane: flows that are added up by workload and port, without any address.

Source: projectcalico/calico goldmane/proto/api.proto and pkg/types. Exporters write the names of
the proto's fields or their JSON spelling, the key inside of the flow or beside it.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # the decoder resolves annotations
from typing import Final

import msgspec

from fsm_stack.flows.formats.from_json import counted, decoder, object_of
from fsm_stack.flows.row import (
    INBOUND,
    NAME_MAX,
    NOT_TCP,
    OUTBOUND,
    REFUSED,
    TIME_MAX,
    BadRecordError,
    Ends,
    Format,
    PassedOverError,
    Reader,
    Row,
    as_it_is,
    port_number,
)

_KEY_FIELDS: Final = {"source_name", "source_namespace", "dest_name", "dest_port", "reporter"}
_NO_NAME: Final = ("", "-")


class _Key(msgspec.Struct, gc=False):
    source_name: str = ""
    source_namespace: str = ""
    dest_name: str = ""
    dest_namespace: str = ""
    dest_type: str = ""
    dest_port: int = 0
    dest_service_name: str = ""
    dest_service_namespace: str = ""
    dest_service_port: int = 0
    proto: str = ""
    protocol: str = ""
    reporter: str = ""
    action: str = ""


class _CamelKey(_Key, gc=False, rename="camel"):
    """The same in JSON's spelling: only what is declared again gets it."""

    source_name: str = ""
    source_namespace: str = ""
    dest_name: str = ""
    dest_namespace: str = ""
    dest_type: str = ""
    dest_port: int = 0
    dest_service_name: str = ""
    dest_service_namespace: str = ""
    dest_service_port: int = 0


class _Record(_Key, gc=False):
    Key: _Key | None = None
    key: _CamelKey | None = None
    end_time: int | datetime = 0
    endTime: int | datetime = 0  # noqa: N815  # upstream's JSON name
    bytes_in: int = 0
    bytes_out: int = 0
    bytesIn: int = 0  # noqa: N815  # upstream's JSON name
    bytesOut: int = 0  # noqa: N815  # upstream's JSON name
    num_connections_started: int = 0
    numConnectionsStarted: int = 0  # noqa: N815  # upstream's JSON name


def reader() -> Reader:
    """Reads one flow."""
    decode, ends = decoder(_Record), Ends()

    def read(record: bytes) -> Row:
        item = decode(record)
        key = item.Key or item.key or item
        if (key.proto or key.protocol).lower() != "tcp":
            raise PassedOverError(NOT_TCP)
        if key.action.lower() == "deny":
            raise PassedOverError(REFUSED)
        side = key.reporter.lower()
        if side not in ("src", "dst"):
            raise BadRecordError("reporter: expected Src or Dst")
        out = side == "src"
        place, name = (key.dest_namespace, key.dest_name)
        far = f"{kind_of(key.dest_type)} {f'{place}/{name}'.strip('/-') or 'anywhere'}"
        if out:
            place, name = key.source_namespace, key.source_name
        service = ""
        if out and key.dest_service_name not in _NO_NAME:
            service = f"{key.dest_service_namespace}/{key.dest_service_name}"
        known = (out, place, name, service)
        end = ends.get(known)
        if end is None:
            told = f"Pods/{place}/{name}" if name not in _NO_NAME else ""
            end = ends.of(
                known, OUTBOUND if out else INBOUND, told, service, "yes" if service else "no"
            )
        if len(far) > NAME_MAX:
            raise BadRecordError(f"expected names of at most {NAME_MAX} characters")
        port = port_number(key.dest_service_port if service else key.dest_port)
        size = counted(item.bytes_in, item.bytes_out, item.bytesIn, item.bytesOut)
        started = counted(item.num_connections_started, item.numConnectionsStarted)
        return (None, far, port, end), started, size, _time(item.end_time or item.endTime)

    return Reader(read, as_it_is)


def kind_of(name: str) -> str:
    """The short name of an endpoint's type, of every spelling: ``WorkloadEndpoint`` is ``wep``."""
    folded = name.lower()
    known = {"workloadendpoint": "wep", "hostendpoint": "hep", "networkset": "ns",
             "network": "net", "public": "pub", "private": "pvt"}  # fmt: skip
    return known.get(folded, folded or "net")


def _time(value: int | datetime) -> float:
    found = value if isinstance(value, int) else value.timestamp()
    if not 0 < found <= TIME_MAX:
        raise BadRecordError("expected a time in seconds since 1970")
    return found


def _knows(record: bytes) -> Reader | None:
    found = object_of(record)
    nested = found.get("Key") or found.get("key")
    if isinstance(nested, dict):
        camel = {"sourceName", "destPort", "reporter"} <= nested.keys()
        return reader() if camel or _KEY_FIELDS & nested.keys() else None
    return reader() if len(_KEY_FIELDS & found.keys()) == len(_KEY_FIELDS) else None


GOLDMANE: Final = Format(
    name="goldmane",
    title="Calico Goldmane flows",
    original="unknown",
    addresses="there are no addresses: only port lists are replayed exactly",
    knows=_knows,
)
