"""The five redirection lists: every name of each, their values, and the injector's merge.

No other module spells a list: a new one is a name here, a field of :class:`Lists` and of the
settings, and the step of :mod:`fsm_stack.iptables.generate` that writes its rule. Source:
pkg/constants, pkg/injector and pkg/apis/config of FSM, osm-edge and OSM; FSM's chart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")
Holds = Literal["ports", "ranges", "interfaces"]
# The one value of ``sidecar.localProxyMode`` that changes a script; the comparison is exact.
POD_IP_MODE: Final = "PodIP"
# The scope of pods without a profile; every other scope is a profile's name.
MESH: Final = "mesh"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # one object a list: `is` compares
class ListName:
    """What one list is called.

    Attributes:
        field: of :class:`Lists`.
        key: in a MeshConfig's and a stack file's ``traffic``, in profiles, and in the values of
            FSM's chart under ``fsm``.
        setting: the field of the settings' models.
        holds: what its entries are.
        title: for people: the ports that share one rule, or what one rule is for.
        annotation: on pods, without the mesh's prefix; empty: only the mesh has this list.
        option: of the command line, for one entry; empty where ``annotation`` is.
        meaning: of one entry, in a sentence.
    """

    field: str
    key: str
    setting: str
    holds: Holds
    title: str
    annotation: str = ""
    option: str = ""
    meaning: str


OUTBOUND_PORTS: Final = ListName(
    field="outbound_ports",
    key="outboundPortExclusionList",
    setting="outbound_port_exclusion_list",
    holds="ports",
    title="outbound ports",
    annotation="outbound-port-exclusion-list",
    option="--outbound-port",
    meaning="An outbound port that bypasses the sidecar.",
)
INBOUND_PORTS: Final = ListName(
    field="inbound_ports",
    key="inboundPortExclusionList",
    setting="inbound_port_exclusion_list",
    holds="ports",
    title="inbound ports",
    annotation="inbound-port-exclusion-list",
    option="--inbound-port",
    meaning="An inbound port that bypasses the sidecar.",
)
EXCLUDED_RANGES: Final = ListName(
    field="excluded_ranges",
    key="outboundIPRangeExclusionList",
    setting="outbound_ip_range_exclusion_list",
    holds="ranges",
    title="excluded range",
    annotation="outbound-ip-range-exclusion-list",
    option="--exclude-range",
    meaning="An outbound range that bypasses the sidecar.",
)
INCLUDED_RANGES: Final = ListName(
    field="included_ranges",
    key="outboundIPRangeInclusionList",
    setting="outbound_ip_range_inclusion_list",
    holds="ranges",
    title="included range",
    annotation="outbound-ip-range-inclusion-list",
    option="--include-range",
    meaning="The only outbound ranges that are redirected.",
)
INTERFACES: Final = ListName(
    field="interfaces",
    key="networkInterfaceExclusionList",
    setting="network_interface_exclusion_list",
    holds="interfaces",
    title="interface",
    meaning="A network interface whose traffic bypasses the sidecar.",
)

# Those that pods have come first, in the order in which the injector parses them: the first bad
# annotation is the one that it names.
LISTS: Final = (OUTBOUND_PORTS, INBOUND_PORTS, EXCLUDED_RANGES, INCLUDED_RANGES, INTERFACES)
POD_LISTS: Final = tuple(known for known in LISTS if known.annotation)
KEYS: Final = tuple(known.key for known in LISTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The lists of a mesh, of a pod, or of both together, as values.

    Nothing is checked or sorted here, because the injector does neither: a port may be 70000, a
    range may be ``garbage``. Strict settings lower to this; findings say what is wrong.

    Attributes:
        outbound_ports: that bypass the sidecar.
        inbound_ports: that bypass the sidecar.
        excluded_ranges: outbound CIDRs that bypass the sidecar, as written.
        included_ranges: the only outbound CIDRs that go through it; empty means every address.
        interfaces: names whose traffic bypasses it; ``+`` at the end is the kernel's wildcard.
    """

    outbound_ports: tuple[int, ...] = ()
    inbound_ports: tuple[int, ...] = ()
    excluded_ranges: tuple[str, ...] = ()
    included_ranges: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()

    def entries(self, name: ListName) -> tuple[Any, ...]:
        """The entries of one list."""
        found: tuple[Any, ...] = getattr(self, name.field)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptLists(Lists):
    """What the injector's script generator takes: the merged lists and two settings.

    Attributes:
        local_proxy_mode: ``sidecar.localProxyMode``; only exactly ``PodIP`` changes the script.
        dns_proxy: ``sidecar.localDNSProxy.enable``; matters only where the system has the rule.
    """

    local_proxy_mode: str = ""
    dns_proxy: bool = False

    @classmethod
    def of(cls, lists: Lists, *, local_proxy_mode: str, dns_proxy: bool) -> InterceptLists:
        """The generator's arguments for lists that are merged already."""
        known = {name.field: lists.entries(name) for name in LISTS}
        return cls(local_proxy_mode=local_proxy_mode, dns_proxy=dns_proxy, **known)


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """Values in order, first occurrence kept."""
    return tuple(dict.fromkeys(values))


def merged(mesh: Lists, pod: Lists) -> Lists:
    """What the injector programs for a pod with these lists in this mesh.

    Ports: the mesh's first, then the pod's. Ranges: the pod's first. Each value once, compared as
    it is. A list that pods do not have stays as the mesh's is written, repetitions included.
    Source: pkg/injector of FSM, osm-edge and OSM, which agree in every recorded row.
    """
    return Lists(**{name.field: _merged(name, mesh, pod) for name in LISTS})


def _merged(name: ListName, mesh: Lists, pod: Lists) -> tuple[Any, ...]:
    if not name.annotation:
        return mesh.entries(name)
    both = (mesh, pod) if name.holds == "ports" else (pod, mesh)
    return unique(value for lists in both for value in lists.entries(name))
