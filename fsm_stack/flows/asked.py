"""Whose an address is, and what a pod may have asked for when a log has it as a destination.

Kube-proxy, or a sidecar, chooses an endpoint after iptables saw the Service's address. What was
asked for is then a set: everything that could have become the endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.flows.row import OUTBOUND, End, Original
from fsm_stack.flows.rulebook import EVERY, Asked, Span
from fsm_stack.iptables.sets.ranges import complement, ipv4_range, merged
from fsm_stack.redirection.scopes import MESH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_stack.flows.objects import Objects
    from fsm_stack.flows.rulebook import Rules
    from fsm_stack.settings.models.control_plane import Cluster

PRIVATE: Final = tuple(
    sorted(
        bounds
        for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
        if (bounds := ipv4_range(text))
    )
)
_LOOPBACK: Final[Span] = ipv4_range("127.0.0.0/8") or EVERY
_CACHED_MAX: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """How logs are to be understood.

    Attributes:
        profile: of the pods that no object tells about; ``mesh``: without annotations.
        original: whether destinations are those that iptables saw, instead of what formats say.
    """

    profile: str = MESH
    original: Original | None = None


class Addresses:
    """The addresses of one cluster.

    Args:
        cluster: its ranges, as the stack has them.
        objects: its pods and Services.
        original: whether destinations are those that iptables saw; None: as each row says.
    """

    def __init__(self, cluster: Cluster, objects: Objects, original: Original | None) -> None:
        self._objects = objects
        self._original = original
        self._pods = _spans(cluster.pod_ranges)
        self._services = tuple(_spans(cluster.service_ranges)) or PRIVATE
        self._of_pods: dict[int, bool] = {}

    def is_pod(self, address: int | str | None) -> bool:
        """Whether a pod of the cluster has an address."""
        if not isinstance(address, int):
            return address is None
        known = self._of_pods.get(address)
        if known is None:
            if len(self._of_pods) >= _CACHED_MAX:
                self._of_pods.clear()
            known = self._of_pods[address] = address in self._objects.pods or _inside(
                address, self._pods or PRIVATE
            )
        return known

    def asked(
        self, target: int | str, port: int, end: End, rules: Sequence[Rules]
    ) -> tuple[Asked, ...]:
        """Everything that a pod may have asked for when a log has this destination."""
        service = self._objects.service(end.service) if end.service else None
        if isinstance(target, str):
            if service is not None and service[0] is not None:
                return ((service[0], port),)
            return ((self._region(target.partition(" ")[0]), port),)
        original = self._original or end.original
        if original == "yes":
            return ((target, port),)
        itself: tuple[Asked, ...] = ((target, port),)
        if self._objects.has_services:
            fronts = self._objects.endpoints.get((target, port), ())
            if service is not None and service[0] is not None:
                fronts = tuple(one for one in fronts if one[0] == service[0]) or fronts
            found = tuple(
                (target if address is None else address, front) for address, front in fronts
            )
            # An endpoint that is excluded itself may have been asked for without its Service.
            direct = any(one.entries.taking(OUTBOUND, itself[0]) for one in rules)
            both = (*itself, *found) if original == "unknown" or direct or not found else found
            return tuple(dict.fromkeys(both))
        if _inside(target, self._pods or PRIVATE):
            return (*itself, (self._services, port))
        return itself

    def _region(self, kind: str) -> tuple[Span, ...]:
        """The addresses that a kind of endpoint may have."""
        if kind == "wep":
            return tuple(merged([*(self._pods or PRIVATE), *self._services]))
        if kind == "pvt":
            return PRIVATE
        if kind == "pub":
            return tuple(complement(merged([*PRIVATE, _LOOPBACK]), *EVERY))
        return tuple(complement([_LOOPBACK], *EVERY))


def _spans(texts: Sequence[str]) -> list[Span]:
    return merged([bounds for text in texts if (bounds := ipv4_range(text))])


def _inside(address: int, spans: Sequence[Span]) -> bool:
    return any(start <= address < end for start, end in spans)
