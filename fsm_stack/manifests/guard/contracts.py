"""Contracts in the guard: lists of a MeshConfig that take agreed traffic out of the mesh.

A policy knows the lists of the mesh, so it holds contracts of verdict ``always`` about TCP that
name no interface. It refuses what surely breaks one. Whether inclusions cover a range only
together, and what breaks a contract ``never``, is proved by ``fsm-stack contracts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.sets.ranges import PROTOCOLS, canonical
from fsm_stack.iptables.sets.written import PLACES, written
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    INBOUND_PORTS,
    INCLUDED_RANGES,
    INTERFACES,
    OUTBOUND_PORTS,
)
from fsm_stack.manifests.guard.cel import of_each, of_whole, text
from fsm_stack.manifests.guard.rules import ranges, variable
from fsm_stack.settings.effective import places_of
from fsm_stack.settings.models.traffic import effective_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.sets.written import Written
    from fsm_stack.lists import ListName
    from fsm_stack.manifests.guard.cel import Dialect, Validation
    from fsm_stack.settings.models.policy import Contract
    from fsm_stack.settings.models.stack import StackSettings

_ID: Final = "contract-broken"
_EVERYWHERE: Final = "0.0.0.0/0"
_LOOPBACK: Final = "127.0.0.0/8"  # a contract does not speak of what stays in the pod


def contract_rules(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    """The rules of every contract that a policy can hold."""
    mode = effective_mode(settings.traffic.interception_mode, settings.system)
    if mode is not None and not settings.profile.intercepts(mode):
        return  # nobody reads the lists
    known = places_of(settings)
    for contract in settings.contracts:
        agreed = written(contract.traffic)
        tcp = agreed.protocol == "all" or PROTOCOLS.get(agreed.protocol) == PROTOCOLS["tcp"]
        if contract.verdict != "always" or not tcp or agreed.interfaces:
            continue
        if agreed.direction == "inbound":
            yield _ports(contract, agreed, INBOUND_PORTS)
            yield _interfaces(contract)
            continue
        places = [
            one
            for place in agreed.places
            for one in (known.get(place, ()) if place in PLACES else (canonical(place) or place,))
        ]
        if agreed.places and not places:
            continue  # the stack does not say where: `contracts` refuses it
        yield _ports(contract, agreed, OUTBOUND_PORTS)
        yield _interfaces(contract)
        yield _excluded(contract, places or [_EVERYWHERE], dialect)
        yield _included(contract, places or [_EVERYWHERE], dialect)


def _says(contract: Contract, entry: str) -> str:
    """The message about an entry, an expression of text."""
    traffic, owner = text(f" breaks the contract '{contract.traffic}' of "), text(contract.owner)
    return f"{entry} + {traffic} + {owner}"


def _of(listed: ListName) -> str:
    return f"spec.traffic.{listed.key}"


def _ports(contract: Contract, agreed: Written, listed: ListName) -> Validation:
    inside = " || ".join(f"v >= {first} && v < {end}" for first, end in agreed.ports)
    wrong = f"{variable(listed)}.filter(v, type(v) == int && ({inside}))"
    return of_each(
        _ID, wrong, _of(listed), _says(contract, f"{text(f'{_of(listed)}: port ')} + string(v)")
    )


def _interfaces(contract: Contract) -> Validation:
    """Over an excluded interface nothing goes through the sidecar; ``lo`` stays in the pod."""
    wrong = f"{variable(INTERFACES)}.filter(v, type(v) == string && v != 'lo')"
    return of_each(
        _ID, wrong, _of(INTERFACES), _says(contract, f"{text(f'{_of(INTERFACES)}: ')} + v")
    )


def _excluded(contract: Contract, places: list[str], dialect: Dialect) -> Validation:
    meets = " || ".join(dialect.meets(place) for place in places)
    free = f"!({dialect.within(_LOOPBACK)}) && "
    wrong = f"{ranges(EXCLUDED_RANGES)}.filter(v, {free}({meets}))"
    return of_each(
        _ID,
        wrong,
        _of(EXCLUDED_RANGES),
        _says(contract, f"{text(f'{_of(EXCLUDED_RANGES)}: ')} + v"),
    )


def _included(contract: Contract, places: list[str], dialect: Dialect) -> Validation:
    """An inclusion list that names nothing of an agreed range."""
    entries = ranges(INCLUDED_RANGES)
    missed = " || ".join(f"!{entries}.exists(v, {dialect.meets(place)})" for place in places)
    wrong = f"{entries}.size() > 0 && ({missed})"
    place = _of(INCLUDED_RANGES)
    return of_whole(_ID, wrong, place, _says(contract, text(f"{place}: what it leaves out")))
