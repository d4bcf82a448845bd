"""The rule set that an injector generates from its lists, in the injector's order.

One named function a step. Source: pkg/injector of OSM and osm-edge and the Pipy driver of FSM and
osm-edge (the script generator); every recorded script of theirs is reproduced byte for byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.rule import (
    OUTPUT,
    POD_IP_VARIABLE,
    PREROUTING,
    Accept,
    Append,
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Insert,
    Jump,
    Multiport,
    OutInterface,
    Ports,
    Protocol,
    Reason,
    Redirect,
    Return,
    Rule,
    Ruleset,
    Step,
    Target,
    UidOwner,
)
from fsm_stack.lists import POD_IP_MODE, InterceptLists
from fsm_stack.well_known import (
    ADMIN_PORT,
    HEALTHCHECK_PORT,
    INBOUND_LISTENER_PORT,
    LIVENESS_PROBE_PORT,
    OUTBOUND_LISTENER_PORT,
    PROMETHEUS_PORT,
    READINESS_PROBE_PORT,
    SIDECAR_UID,
    STARTUP_PROBE_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.iptables.rule import Match
    from fsm_stack.systems import System

TCP = Protocol(name="tcp")
LOCALHOST = Destination(cidr="127.0.0.1/32")
# osm-edge's resolver inside the pod. Source: flomesh-io/osm-edge, the script generator.
DNS_ADDRESS = "127.0.0.153"
DNS_PORT = 53
DNS_LISTENER = "127.0.0.153:5300"

# What enters for these is returned before any list is looked at.
DIRECT_INBOUND_PORTS: Final = (
    (PROMETHEUS_PORT, Reason.PROMETHEUS),
    (LIVENESS_PROBE_PORT, Reason.LIVENESS),
    (READINESS_PROBE_PORT, Reason.READINESS),
    (STARTUP_PROBE_PORT, Reason.STARTUP),
    (HEALTHCHECK_PORT, Reason.HEALTHCHECK),
)


def intercept(lists: InterceptLists, system: System) -> Ruleset:
    """The injector's rule set for these lists.

    Args:
        lists: the generator's own arguments; nonsense in them is kept.
        system: whose injector.

    Returns:
        Every rule with its reason, steps in the script's order.
    """
    return Ruleset(
        chains=system.chains.all(),
        steps=tuple(step for section in SECTIONS for step in section(lists, system)),
        comment=system.script_comment,
    )


def inbound_static(_: InterceptLists, system: System) -> Iterator[Step]:
    """Redirect what enters, apart from the sidecar's and the helper's own ports."""
    chains = system.chains
    yield _append(
        chains.in_redirect,
        TCP,
        to=Redirect(port=INBOUND_LISTENER_PORT),
        why=Reason.TO_INBOUND_LISTENER,
    )
    yield _append(PREROUTING, TCP, to=Jump(chain=chains.inbound), why=Reason.HOOK_INBOUND)
    for port, why in DIRECT_INBOUND_PORTS:
        match = DestinationPort(ports=Ports(port))
        yield _append(chains.inbound, TCP, match, to=Return(), why=why)
    yield _append(
        chains.inbound, TCP, to=Jump(chain=chains.in_redirect), why=Reason.INTERCEPT_INBOUND
    )


def inbound_interfaces(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Excluded interfaces, each inserted at the head of the inbound chain."""
    why = Reason.INBOUND_INTERFACE
    for name in lists.interfaces:
        rule = Rule(matches=(InInterface(name=name),), target=Return(), why=why)
        yield Insert(chain=system.chains.inbound, rule=rule)


def inbound_ports(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Excluded inbound ports, one multiport rule, inserted before the interfaces."""
    if lists.inbound_ports:
        match = _multiport(lists.inbound_ports)
        rule = Rule(matches=(TCP, match), target=Return(), why=Reason.INBOUND_PORTS)
        yield Insert(chain=system.chains.inbound, rule=rule)


def outbound_static(_: InterceptLists, system: System) -> Iterator[Step]:
    """Redirect what leaves, apart from the sidecar's own and loopback traffic."""
    chains = system.chains
    outbound = chains.outbound
    loopback = OutInterface(name="lo")
    sidecar = UidOwner(first=SIDECAR_UID)
    not_localhost = replace(LOCALHOST, negated=True)
    not_sidecar = UidOwner(first=SIDECAR_UID, negated=True)
    yield _append(
        chains.out_redirect,
        TCP,
        to=Redirect(port=OUTBOUND_LISTENER_PORT),
        why=Reason.TO_OUTBOUND_LISTENER,
    )
    yield _append(
        chains.out_redirect,
        TCP,
        DestinationPort(ports=Ports(ADMIN_PORT)),
        to=Accept(),
        why=Reason.ADMIN,
    )
    yield _append(OUTPUT, TCP, to=Jump(chain=outbound), why=Reason.HOOK_OUTBOUND)
    yield _append(
        outbound,
        loopback,
        not_localhost,
        sidecar,
        to=Jump(chain=chains.in_redirect),
        why=Reason.SELF_CALL,
    )
    yield _append(outbound, loopback, not_sidecar, to=Return(), why=Reason.APP_LOOPBACK)
    yield _append(outbound, sidecar, to=Return(), why=Reason.SIDECAR)
    yield _append(outbound, LOCALHOST, to=Return(), why=Reason.LOCALHOST)


def dns_proxy(lists: InterceptLists, system: System) -> Iterator[Step]:
    """The one rule that is not TCP, where the system has it."""
    if lists.dns_proxy and system.has_dns_rule:
        matches = (
            Protocol(name="udp"),
            Destination(cidr=DNS_ADDRESS),
            DestinationPort(ports=Ports(DNS_PORT)),
        )
        yield _append(OUTPUT, *matches, to=Dnat(to=DNS_LISTENER), why=Reason.DNS)


def pod_ip_mode(lists: InterceptLists, _: System) -> Iterator[Step]:
    """The sidecar's connections to localhost go to the pod's address; exactly ``PodIP``."""
    if lists.local_proxy_mode == POD_IP_MODE:
        matches = (TCP, OutInterface(name="lo"), LOCALHOST, UidOwner(first=SIDECAR_UID))
        rule = Rule(matches=matches, target=Dnat(to=POD_IP_VARIABLE), why=Reason.POD_IP)
        yield Insert(chain=OUTPUT, rule=rule)


def outbound_interfaces(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Excluded interfaces, outbound."""
    for name in lists.interfaces:
        match = OutInterface(name=name)
        yield _append(system.chains.outbound, match, to=Return(), why=Reason.OUTBOUND_INTERFACE)


def outbound_exclusions(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Excluded ranges; they stand before inclusions and win over them."""
    for cidr in lists.excluded_ranges:
        match = Destination(cidr=cidr)
        yield _append(system.chains.outbound, match, to=Return(), why=Reason.OUTBOUND_RANGE)


def outbound_ports(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Excluded outbound ports, one multiport rule."""
    if lists.outbound_ports:
        match = _multiport(lists.outbound_ports)
        yield _append(system.chains.outbound, TCP, match, to=Return(), why=Reason.OUTBOUND_PORTS)


def outbound_decision(lists: InterceptLists, system: System) -> Iterator[Step]:
    """Everything that is left, or only the included ranges."""
    outbound = system.chains.outbound
    to = Jump(chain=system.chains.out_redirect)
    if not lists.included_ranges:
        yield _append(outbound, to=to, why=Reason.INTERCEPT_OUTBOUND)
        return
    for cidr in lists.included_ranges:
        yield _append(outbound, Destination(cidr=cidr), to=to, why=Reason.INCLUDED_RANGE)
    yield _append(outbound, to=Return(), why=Reason.NOT_INCLUDED)


# The order of the injector's script.
SECTIONS: tuple[Callable[[InterceptLists, System], Iterator[Step]], ...] = (
    inbound_static,
    inbound_interfaces,
    inbound_ports,
    outbound_static,
    dns_proxy,
    pod_ip_mode,
    outbound_interfaces,
    outbound_exclusions,
    outbound_ports,
    outbound_decision,
)


def _append(chain: str, *matches: Match, to: Target, why: Reason) -> Append:
    return Append(chain=chain, rule=Rule(matches=matches, target=to, why=why))


def _multiport(ports: tuple[int, ...]) -> Multiport:
    return Multiport(ports=tuple(Ports(port) for port in ports))
