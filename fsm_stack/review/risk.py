"""The closed list of risks: what a change can break or open, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.packet import ToListener, Untouched, may_bypass, may_reach_sidecar
from fsm_stack.iptables.sets.ranges import IPV4_END, intersection
from fsm_stack.iptables.sets.reach import length
from fsm_stack.review.model import Level, Risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.reach import Intervals

RISKS: Final[dict[str, tuple[Level, str]]] = {
    "everything-bypasses": (
        Level.HIGH,
        "every outbound connection bypasses the mesh: mTLS and policy are off",
    ),
    "port-to-any-address": (
        Level.HIGH,
        "a port bypasses the mesh to every address, the mesh's own services among them",
    ),
    "mesh-ranges-bypass": (
        Level.HIGH,
        "connections to the cluster's own pods or services bypass the mesh",
    ),
    "inbound-opens": (
        Level.HIGH,
        "every inbound connection reaches the application without the sidecar",
    ),
    "script-refused": (Level.HIGH, "iptables refuses the script: no new pod starts"),
    "undecided": (Level.HIGH, "what happens to traffic cannot be told"),
    "outside-bypasses": (
        Level.MEDIUM,
        "everything outside of the cluster's own ranges bypasses the mesh",
    ),
    "range-bypasses": (Level.MEDIUM, "a whole range bypasses the mesh on every port"),
    "inbound-port-bypasses": (
        Level.MEDIUM,
        "clients reach a port without mTLS and policy",
    ),
    "interface-bypasses": (Level.MEDIUM, "an interface's connections bypass the mesh"),
    "egress-refused": (
        Level.MEDIUM,
        "connections that bypassed the mesh meet a sidecar that lets nothing out of it",
    ),
    "sent-elsewhere": (Level.MEDIUM, "connections end elsewhere than before"),
    "policy-off": (Level.MEDIUM, "services talk to each other without a policy that allows it"),
    "policy-on": (
        Level.MEDIUM,
        "services that no policy allows do not reach each other any more, from running pods too",
    ),
    "egress-opens": (Level.MEDIUM, "pods reach hosts outside of the mesh"),
    "egress-closes": (
        Level.MEDIUM,
        "sidecars let nothing out of the mesh that no policy allows, those of running pods too",
    ),
    "namespace-leaves": (Level.MEDIUM, "new pods of a namespace get no sidecar"),
    "object-replaced": (Level.MEDIUM, "Kubernetes deletes the object and makes it anew"),
    "object-removed": (Level.MEDIUM, "an object that the mesh needs goes away"),
    "guard-weakened": (Level.MEDIUM, "the guard lets pass what it refused, or warned of"),
    "contract-dropped": (Level.MEDIUM, "nothing holds the mesh to this contract any more"),
    "contract-narrowed": (
        Level.MEDIUM,
        "a contract that names the cluster's own ranges holds for fewer of them",
    ),
    "contract-broken": (Level.HIGH, "a contract that was kept is not kept any more"),
    "declared-missing": (Level.MEDIUM, "what was declared does not happen"),
    "system-changes": (Level.HIGH, "another mesh takes the place of this one"),
    "release-changes": (
        Level.LOW,
        "the mesh's programs and sidecars are those of another release",
    ),
    "port-bypasses": (Level.LOW, "a port bypasses the mesh to some addresses outside the cluster"),
    "comes-back": (Level.LOW, "connections that bypassed the mesh go through the sidecar"),
    "profile-offers": (Level.LOW, "pods that choose a new profile bypass more"),
    "profile-offers-all": (
        Level.MEDIUM,
        "pods that choose a new profile bypass the mesh on a port to every address",
    ),
    "sidecar-only": (Level.LOW, "only the sidecar's own connections inside the pod change"),
    "other": (Level.NONE, "no traffic changes"),
}
# More than so many addresses are "any": what is left out are ranges excluded already.
_ANY: Final = IPV4_END // 2
_PORTS_ANY: Final = 65_000


def risk(risk_id: str) -> Risk:
    """The grade with this id.

    Raises:
        KeyError: there is none; a defect of ours.
    """
    level, why = RISKS[risk_id]
    return Risk(id=risk_id, level=level, why=why)


def of_shift(shift: Shift, *, own: Intervals, egress: bool, offered: bool) -> Risk:
    """The grade of a change of traffic.

    Args:
        shift: what changes.
        own: the cluster's pod and service ranges.
        egress: whether the mesh lets connections out of it.
        offered: pods get it only when they choose a new profile.
    """
    said = shift.said
    if _sidecar_only(shift):
        return risk("sidecar-only")
    if not may_bypass(shift.after):
        if isinstance(shift.before, Untouched) and isinstance(shift.after, ToListener):
            outside = length(said.destinations) > length(_shared(said.destinations, own))
            refused = said.direction == "outbound" and not egress and outside
            return risk("egress-refused" if refused else "comes-back")
        return risk("sent-elsewhere")
    if not may_reach_sidecar(shift.before):
        return risk("sent-elsewhere")
    wide = length(said.destinations) > _ANY
    if offered:
        return risk("profile-offers-all" if wide else "profile-offers")
    return risk(_bypass(shift, own, wide=wide))


def _bypass(shift: Shift, own: Intervals, *, wide: bool) -> str:
    said = shift.said
    ports = length(said.ports) > _PORTS_ANY
    if said.interfaces != (("", None),) and "eth0" not in _names(said.interfaces):
        return "interface-bypasses"
    if said.direction == "inbound":
        return "inbound-opens" if ports else "inbound-port-bypasses"
    if wide and ports and own and not _shared(said.destinations, own):
        return "outside-bypasses"
    if wide:
        return "everything-bypasses" if ports else "port-to-any-address"
    if _shared(said.destinations, own):
        return "mesh-ranges-bypass"
    return "range-bypasses" if ports else "port-bypasses"


def _names(interfaces: Intervals) -> set[str]:
    """The usual interface's name, where the intervals hold it."""
    name = "eth0"
    held = any(start <= name and (stop is None or name < stop) for start, stop in interfaces)
    return {name} if held else set()


def _shared(one: Intervals, other: Intervals) -> Intervals:
    return tuple(intersection(one, other))


def _sidecar_only(shift: Shift) -> bool:
    return shift.region.uids == ((1500, 1501),)


def highest(risks: Sequence[Risk]) -> Level:
    """The highest level; none without a risk."""
    return max((one.level for one in risks), key=lambda level: level.rank, default=Level.NONE)
