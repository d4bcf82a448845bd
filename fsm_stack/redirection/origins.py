"""Where each redirection entry was declared, and settings as the lists of a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fsm_stack.iptables.rule import Destination, InInterface, Multiport, OutInterface
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.lists import MESH, POD_LISTS, InterceptLists, Lists, merged
from fsm_stack.settings.effective import bypasses, mesh_lists

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from fsm_stack.iptables.rule import Rule
    from fsm_stack.settings.effective import Bypass
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.systems import System


def intercept_lists(settings: StackSettings, pod: Lists | None = None) -> InterceptLists:
    """What the injector's script generator gets for a pod with these annotations.

    Args:
        settings: the stack.
        pod: the pod's own lists; None for a pod without redirection annotations.
    """
    return InterceptLists.of(
        merged(mesh_lists(settings), pod or Lists()),
        local_proxy_mode=settings.sidecar.local_proxy_mode,
        dns_proxy=settings.profile.has_dns_rule and settings.sidecar.local_dns_proxy.enable,
    )


def pod_annotations(lists: Lists, system: System) -> dict[str, str]:
    """The annotations that carry a pod's lists; an empty list has none, since "" is refused."""
    return {
        system.annotation(name.annotation): ",".join(map(str, lists.entries(name)))
        for name in POD_LISTS
        if lists.entries(name)
    }


Declared = dict[tuple[str, str], list["Bypass"]]


def declared(settings: StackSettings, profile: str, today: date) -> Declared:
    """The entries that the pods of one profile get, by list and value.

    Args:
        settings: the stack.
        profile: the profile's name; ``mesh`` for pods without one.
        today: for entries with an end.
    """
    return of_scope(bypasses(settings, today), profile)


def of_scope(entries: Iterable[Bypass], profile: str) -> Declared:
    """Those of all entries that the pods of one profile get, by list and value."""
    found: Declared = {}
    for item in entries:
        if item.scope in (MESH, profile):
            key = (item.kind, canonical(item.value) or item.value)
            found.setdefault(key, []).append(item)
    return found


def behind(rule: Rule, entries: Declared) -> tuple[Bypass, ...]:
    """The entries of the stack file that a rule was made from, in the order of the rule.

    Args:
        rule: of a script that the stack renders, read back.
        entries: the stack's, from :func:`declared`.

    Returns:
        Nothing for the rules that every script has.
    """
    listed = rule.why.entries_of
    if listed is None:
        return ()
    values = [value for match in rule.matches for value in _values(match)]
    return tuple(item for value in values for item in entries.get((listed.key, value), ()))


def _values(match: object) -> list[str]:
    match match:
        case Destination():
            return [canonical(match.cidr) or match.cidr]
        case Multiport():
            return [str(ports) for ports in match.ports]
        case InInterface() | OutInterface():
            return [match.name]
    return []


def notes_text(reason: str, owner: str, until: date | None = None) -> str:
    """``"managed Redis"; data-team; until 2026-12-31``: what somebody said of an entry.

    The reason stands in quotes, and an owner that could be read as more than one does, too: no
    text passes for an owner or an end that nobody gave.
    """
    named = _quoted(owner) if owner.lstrip().startswith('"') or ";" in owner else owner
    notes = [
        _quoted(reason) if reason else "no reason given",
        named or "no owner",
        f"until {until}" if until else "",
    ]
    return "; ".join(note for note in notes if note)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def declared_text(item: Bypass) -> str:
    """``traffic.outboundPortExclusionList[0] 6379: "managed Redis"; data-team``, and its end."""
    said = item.reason or item.owner or item.until
    told = notes_text(item.reason, item.owner, item.until)
    return f"{item.path} {item.value}" + (f": {told}" if said else "")
