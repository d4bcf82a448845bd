"""VPC flow logs of Google Cloud: log entries as JSON, a line or an element of an array each.

Source: cloud.google.com/vpc/docs/about-flow-logs-records. Both directions of a connection are
records of their own, each reported at one or at both ends; sizes are texts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fsm_stack.flows.formats.from_json import counted, decoder, object_of, seconds
from fsm_stack.flows.row import (
    EPHEMERAL,
    GATEWAY,
    INBOUND,
    NO_FLOW,
    NOT_TCP,
    OUTBOUND,
    TCP,
    Addresses,
    Ends,
    Format,
    Original,
    PassedOverError,
    Reader,
    Row,
    as_it_is,
    port_number,
)


class _Connection(msgspec.Struct, gc=False):
    src_ip: str
    dest_ip: str
    protocol: int
    src_port: int = 0
    dest_port: int = 0


class _Workload(msgspec.Struct, gc=False):
    workload_name: str = ""
    workload_type: str = ""


class _Pod(msgspec.Struct, gc=False):
    pod_name: str = ""
    pod_namespace: str = ""
    pod_workload: _Workload | None = None


class _Service(msgspec.Struct, gc=False):
    service_name: str = ""
    service_namespace: str = ""


class _Gke(msgspec.Struct, gc=False):
    pod: _Pod | None = None
    service: list[_Service] = []


class _Payload(msgspec.Struct, gc=False):
    connection: _Connection | None = None
    bytes_sent: int = 0
    end_time: str = ""
    reporter: str = ""
    src_gke_details: _Gke | None = None
    dest_gke_details: _Gke | None = None


class _Record(msgspec.Struct, gc=False, rename={"payload": "jsonPayload"}):
    payload: _Payload | None = None


def reader() -> Reader:
    """Reads one log entry."""
    decode, addresses, ends = decoder(_Record), Addresses(), Ends()

    def read(record: bytes) -> Row:
        item = decode(record).payload
        pair = item.connection if item else None
        if item is None or pair is None:
            raise PassedOverError(NO_FLOW)
        if pair.protocol != TCP:
            raise PassedOverError(NOT_TCP)
        if item.reporter not in ("SRC", "DEST"):
            raise PassedOverError(GATEWAY)
        out, near, far = item.reporter == "SRC", item.src_gke_details, item.dest_gke_details
        source, target = addresses[pair.src_ip.encode()], addresses[pair.dest_ip.encode()]
        source_port, port = port_number(pair.src_port), port_number(pair.dest_port)
        if answer := source_port < EPHEMERAL <= port:
            source, target, port = target, source, source_port
            out, near, far = not out, far, near
        known = (out, _name(near if out else far), _service(far) if out else "")
        end = ends.get(known)
        if end is None:
            original: Original = "no" if out else "yes"
            end = ends.of(known, OUTBOUND if out else INBOUND, known[1], known[2], original)
        size = counted(item.bytes_sent)
        origin = None if out and end.name else source  # the workload says more than its address
        return (origin, target, port, end), int(not answer), size, seconds(item.end_time)

    return Reader(read, as_it_is)


def _service(end: _Gke | None) -> str:
    """The one Service that an endpoint is of; empty: none, or several."""
    services = end.service if end is not None else []
    if len(services) != 1:
        return ""
    return f"{services[0].service_namespace}/{services[0].service_name}"


def _name(end: _Gke | None) -> str:
    if end is None or (pod := end.pod) is None:
        return ""
    if (owner := pod.pod_workload) is not None and owner.workload_name:
        kind = owner.workload_type.title() or "Workload"
        return f"{kind}/{pod.pod_namespace}/{owner.workload_name}"
    return f"Pod/{pod.pod_namespace}/{pod.pod_name}" if pod.pod_name else ""


def _knows(record: bytes) -> Reader | None:
    found = object_of(record).get("jsonPayload")
    return reader() if isinstance(found, dict) and "connection" in found else None


GCP: Final = Format(
    name="gcp",
    title="Google Cloud VPC flow log",
    original="no",
    addresses="destinations are those after kube-proxy's choice, and rows are a sample",
    weight="rows",
    knows=_knows,
)
