"""Traffic as people write it: ``tcp 5432 to 10.0.0.0/8``, ``inbound tcp 9091``, ``tcp 443``.

::

    [inbound|outbound] [PROTOCOL] [PORTS|any] [to PLACE[,PLACE...]] [over INTERFACE[,...]]

PORTS are numbers and ranges, ``443,8000-8999``. A PLACE is an IPv4 range or address, ``any``, or
a name that the stack knows: ``pods``, ``services``, ``api-server``, ``metadata``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from fsm_stack.errors import InputError
from fsm_stack.iptables.packet import Direction
from fsm_stack.iptables.sets.coverage import WHOLE
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    PROTOCOLS,
    complement,
    interface_interval,
    intersection,
    ipv4_range,
    merged,
    plain_number,
)
from fsm_stack.iptables.sets.reach import ANY, Region
from fsm_stack.well_known import (
    HEALTHCHECK_PORT,
    INTERFACE_NAME_MAX,
    LIVENESS_PROBE_PORT,
    PORT_MAX,
    PROMETHEUS_PORT,
    READINESS_PROBE_PORT,
    SIDECAR_UID,
    STARTUP_PROBE_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.iptables.sets.ranges import Interval
    from fsm_stack.iptables.sets.reach import Intervals

PLACES: Final = ("pods", "services", "api-server", "metadata")
_EXAMPLE: Final = "'tcp 5432 to 10.0.0.0/8'"
_LOOPBACK: Final = ((0x7F000000, 0x80000000),)
# Ports of the pod that every script leaves to the sidecar's own helpers.
_HELPERS: Final = (
    PROMETHEUS_PORT,
    LIVENESS_PROBE_PORT,
    READINESS_PROBE_PORT,
    STARTUP_PROBE_PORT,
    HEALTHCHECK_PORT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Traffic as it was written.

    Attributes:
        text: the words.
        direction: outbound unless they say otherwise.
        protocol: its name; ``any`` for all.
        ports: half-open intervals; all of them where none is named.
        places: ranges and names; empty: any address.
        interfaces: names and patterns; empty: any.
    """

    text: str
    direction: Direction
    protocol: str
    ports: Intervals
    places: tuple[str, ...]
    interfaces: tuple[str, ...]

    def regions(
        self, known: Mapping[str, Sequence[str]], *, everywhere: bool = False
    ) -> tuple[Region, ...]:
        """What it means for connections of applications that leave or enter the pod.

        Not in it: what the sidecar sends, what stays in the pod, and the ports of the sidecar's
        own helpers, which no list decides.

        Args:
            known: the ranges behind each name.
            everywhere: take these in, too.

        Raises:
            InputError: it names a place whose ranges are unknown.
        """
        inbound = self.direction == "inbound"
        ports = [*self.ports]
        if inbound and not everywhere:
            taken = merged([(port, port + 1) for port in _HELPERS])
            ports = intersection(ports, complement(taken, *WHOLE["port"]))
        outside = complement(_LOOPBACK, 0, IPV4_END)
        places = intersection(
            self._addresses(known), [(0, IPV4_END)] if inbound or everywhere else outside
        )
        names = [interface_interval(name) for name in self.interfaces] or [WHOLE["interface"]]
        leaving = complement([interface_interval("lo")], *WHOLE["interface"])
        if everywhere:
            leaving = [WHOLE["interface"]]
        sidecar = [(SIDECAR_UID, SIDECAR_UID + 1)]
        number = PROTOCOLS.get(self.protocol)
        region = Region(
            direction=self.direction,
            protocols=((number, number + 1),) if number is not None else (WHOLE["protocol"],),
            interfaces=tuple(intersection(sorted(names, key=lambda one: one[0]), leaving)),
            uids=tuple(
                [WHOLE["uid"]] if inbound or everywhere else complement(sidecar, *WHOLE["uid"])
            ),
            ports=tuple(ports),
            sources=(WHOLE["source"],),
            destinations=tuple(places),
        )
        sets = (region.interfaces, region.ports, region.destinations)
        return (region,) if all(sets) else ()

    def _addresses(self, known: Mapping[str, Sequence[str]]) -> list[Interval]:
        if not self.places:
            return [(0, IPV4_END)]
        found: list[tuple[int, int]] = []
        for place in self.places:
            ranges = known.get(place, ()) if place in PLACES else (place,)
            if not ranges:
                raise InputError(
                    f"{self.text!r}: the stack does not say where {place!r} is: expected "
                    "cluster.podRanges, cluster.serviceRanges or cluster.apiServer in its file"
                )
            found += [bounds for text in ranges if (bounds := ipv4_range(text)) is not None]
        return [*merged(found)]


def written(text: str) -> Written:
    """Read the words.

    Raises:
        InputError: a word is none of the grammar's, or nothing is said.
    """
    words = text.split()
    if not words:
        raise InputError(f"expected traffic such as {_EXAMPLE}, got nothing")
    direction: Direction = "outbound"
    if words[0] in get_args(Direction):
        direction = "inbound" if words.pop(0) == "inbound" else "outbound"
    protocol = "tcp"
    if words and (words[0] in PROTOCOLS or words[0] == "all"):
        protocol = words.pop(0)
    ports: Intervals = (WHOLE["port"],)
    if words and words[0] not in ("to", "over"):
        ports = _ports(words.pop(0), text)
    places = _after("to", words, text)
    interfaces = _after("over", words, text)
    if words:
        raise InputError(
            f"{text!r}: expected [inbound] PROTOCOL PORTS [to PLACES] [over INTERFACES], "
            f"got {words[0]!r}"
        )
    for name in interfaces:
        if len(name) > INTERFACE_NAME_MAX:
            raise InputError(f"{text!r}: expected an interface's name, got {name!r}")
    return Written(
        text=text,
        direction=direction,
        protocol=protocol,
        ports=ports,
        places=() if ANY in places else tuple(_place(place, text) for place in places),
        interfaces=() if ANY in interfaces else interfaces,
    )


def _ports(word: str, text: str) -> Intervals:
    if word == ANY:
        return (WHOLE["port"],)
    found = []
    for part in word.split(","):
        first, dash, last = part.partition("-")
        start = plain_number(first)
        stop = plain_number(last) if dash else start
        if start is None or stop is None or not start <= stop <= PORT_MAX:
            raise InputError(
                f"{text!r}: expected ports such as 443 or 443,8000-8999, got {part!r}"
            )
        found.append((start, stop + 1))
    return tuple(merged(found))


def _after(word: str, words: list[str], text: str) -> tuple[str, ...]:
    """What follows a word, taken out of the list; lists may have blanks behind their commas."""
    if not words or words[0] != word:
        return ()
    words.pop(0)
    if not words:
        raise InputError(f"{text!r}: expected something behind {word!r}")
    found = words.pop(0)
    while found.endswith(",") and words:
        found += words.pop(0)
    return tuple(part for part in found.split(",") if part)


def _place(place: str, text: str) -> str:
    if place in PLACES or ipv4_range(place) is not None:
        return place
    raise InputError(f"{text!r}: expected an IPv4 range, any, {', '.join(PLACES)}, got {place!r}")
