"""Ports that one side of a connection inside the mesh excludes, and the other does not.

The side that excludes sends, or expects, plain text; the other one's sidecar the mesh's TLS. Which
workload listens where is what its containers declare.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, finding
from fsm_stack.injector.annotations import parse_list
from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import INBOUND_PORTS, OUTBOUND_PORTS
from fsm_stack.workloads.objects import name_of, object_at
from fsm_stack.workloads.passed import below, placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import ObjectName
    from fsm_stack.lists import ListName
    from fsm_stack.systems import System
    from fsm_stack.workloads.stream import Outcome, Seen

_RULE: Final = "excluded-one-way"
_NAMED_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    """One injected workload.

    Attributes:
        name: the object's.
        listens: the TCP ports that its containers declare.
        outbound: the outbound ports that bypass its sidecar, the mesh's among them.
        inbound: the inbound ones.
        own: by list: the ports of its annotation, and a finding there, without a message.
    """

    name: ObjectName
    listens: frozenset[int]
    outbound: frozenset[int]
    inbound: frozenset[int]
    own: dict[str, tuple[tuple[int, ...], Finding]] = field(default_factory=dict)


class Peers:
    """The workloads of an input, as they go by."""

    def __init__(self, system: System, default_namespace: str) -> None:
        self._system, self._namespace = system, default_namespace
        self._known: list[_Peer] = []

    def add(self, outcome: Outcome) -> None:
        """Take the injected workloads of a document."""
        anchors: list[Finding] = []
        injected: list[tuple[_Peer, list[tuple[str, tuple[int, ...]]]]] = []
        for seen in outcome.seen:
            mutation = seen.preview.mutation
            if mutation is None or mutation.interception is None:
                continue
            lists = mutation.interception.lists
            name = name_of(seen.workload.manifest, self._namespace)
            peer = _Peer(
                name=name,
                listens=frozenset(_declared(object_at(seen.workload.pod(), ("spec",)))),
                outbound=frozenset(lists.outbound_ports),
                inbound=frozenset(lists.inbound_ports),
            )
            given = list(self._given(seen))
            bare = [finding(_RULE, "", path=f"metadata.annotations.{key}") for _, key, _ in given]
            anchors += below(seen.workload.pod_path, name, bare)
            injected.append((peer, [(listed, ports) for listed, _, ports in given]))
        at = iter(placed(outcome.document, anchors))  # the text is looked through once
        for peer, given_ports in injected:
            own = {listed: (ports, next(at)) for listed, ports in given_ports}
            self._known.append(replace(peer, own=own))

    def _given(self, seen: Seen) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Field, annotation and ports of the lists that a pod has itself."""
        annotations = object_at(seen.workload.pod(), ("metadata", "annotations"))
        for listed in (OUTBOUND_PORTS, INBOUND_PORTS):
            key = self._system.annotation(listed.annotation)
            value = annotations.get(key)
            try:
                ports = parse_list(listed, value, key) if isinstance(value, str) else ()
            except Refusal:  # which has a finding of its own
                ports = ()
            if ports:
                yield listed.field, key, ports

    def findings(self) -> Iterator[Finding]:
        """What only one side excludes."""
        expecting: defaultdict[int, list[_Peer]] = defaultdict(list)  # the mesh's TLS there
        sending: defaultdict[int, int] = defaultdict(int)
        for peer in self._known:
            for port in peer.listens - peer.inbound:
                expecting[port].append(peer)
            for port in peer.outbound:
                sending[port] += 1
        for peer in self._known:
            for port, anchor in _each(peer, OUTBOUND_PORTS):
                others = expecting[port]
                count = len(others) - (port in peer.listens - peer.inbound)
                if count:
                    first = [one.name for one in others[: _NAMED_MAX + 1] if one is not peer]
                    yield replace(
                        anchor,
                        value=str(port),
                        message=f"port {port} leaves this pod in plain text, and "
                        f"{_told(first, count)}, "
                        "listening on it in the mesh, does not exclude it inbound",
                        fix=f"Exclude {port} inbound there, or not here.",
                    )
            for port, anchor in _each(peer, INBOUND_PORTS):
                alone = sending[port] == (port in peer.outbound)
                if port in peer.listens and alone and len(self._known) > 1:
                    yield replace(
                        anchor,
                        value=str(port),
                        message=f"port {port} takes plain text, and no other workload of the "
                        "input excludes it outbound: what the mesh's pods send is the mesh's TLS",
                        fix=f"Exclude {port} outbound where it is called from inside the mesh.",
                    )


def _each(peer: _Peer, listed: ListName) -> Iterator[tuple[int, Finding]]:
    ports, anchor = peer.own.get(listed.field, ((), None))
    for port in dict.fromkeys(ports):
        if anchor is not None:
            yield port, anchor


def _told(first: list[ObjectName], count: int) -> str:
    named = first[:_NAMED_MAX]
    more = count - len(named)
    return ", ".join(map(str, named)) + (f" and {more} more" if more else "")


def _declared(spec: dict[str, Any]) -> Iterable[int]:
    containers = spec.get("containers")
    for container in containers if isinstance(containers, list) else ():
        ports = container.get("ports") if isinstance(container, dict) else None
        for one in ports if isinstance(ports, list) else ():
            port = one.get("containerPort") if isinstance(one, dict) else None
            if isinstance(port, int) and one.get("protocol", "TCP") == "TCP":
                yield port
