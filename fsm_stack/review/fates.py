"""The rules of each scope of two sides: which are compared, what differs, what each does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.read.tokens import RuleSyntaxError
from fsm_stack.iptables.rule import Destination, Multiport, Source
from fsm_stack.iptables.sets.coverage import Coverage, coverage
from fsm_stack.iptables.sets.diagram import Diagrams, TooComplexError
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.ranges import (
    canonical,
)
from fsm_stack.iptables.write import step_line
from fsm_stack.lists import MESH
from fsm_stack.review.model import RuleLine, RulesChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.rule import Match, Step
    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.reach import Region, Traffic
    from fsm_stack.review.side import Side


class Unreadable(Exception):  # noqa: N818  # an answer, not a failure: it is told as undecided
    """A script whose meaning cannot be told, with the reason."""


@dataclass(slots=True)
class Fates:
    """The verdicts of scripts, each script judged once."""

    _known: dict[str, Coverage | str] = field(default_factory=dict)
    _shifts: dict[tuple[str, str], tuple[Shift, ...]] = field(default_factory=dict)

    def of(self, side: Side, scope: str) -> Coverage:
        """Every packet's verdict.

        Raises:
            Unreadable: the script cannot be read, does not load, or is too complex.
        """
        text = side.scripts[scope]
        if text not in self._known:
            self._known[text] = _judged(side, scope)
        found = self._known[text]
        if isinstance(found, str):
            raise Unreadable(found)
        return found

    def between(self, before: tuple[Side, str], after: tuple[Side, str]) -> tuple[Shift, ...]:
        """What changes from one side's scope to the other's.

        Raises:
            Unreadable: one of the two cannot be told.
        """
        key = (before[0].scripts[before[1]], after[0].scripts[after[1]])
        if key not in self._shifts:
            one, two = self.of(*before), self.of(*after)
            try:
                self._shifts[key] = () if key[0] == key[1] else shifts(one, two)
            except TooComplexError as error:
                raise Unreadable(str(error)) from None
        return self._shifts[key]


def refused(side: Side, scope: str) -> str:
    """Why iptables does not load a scope's script; empty: it does."""
    try:
        found = [refusal.message for refusal in refusals(side.reading(scope).ruleset)]
    except RuleSyntaxError as error:
        return f"it cannot be read: {error}"
    return f"iptables refuses {'; '.join(dict.fromkeys(found))}" if found else ""


def _judged(side: Side, scope: str) -> Coverage | str:
    if why := refused(side, scope):
        return why
    try:
        return coverage(side.reading(scope).ruleset)
    except TooComplexError as error:
        return str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two scopes that are compared.

    Attributes:
        name: of the second side's.
        before: its counterpart; of a new profile the mesh of the second side: what its pods had.
        offered: it is such a new profile.
        rewritten: it is a profile whose own annotations differ: pods carry the old ones until
            somebody writes the new ones into their templates.
    """

    name: str
    before: tuple[Side, str]
    after: tuple[Side, str]
    offered: bool = False
    rewritten: bool = False


def pairs(before: Side, after: Side) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The scopes to compare, and what there is to say of those that only one side has."""
    both = [name for name in after.scripts if name in before.scripts]
    found = [
        Pair(
            name=name,
            before=(before, name),
            after=(after, name),
            rewritten=name != MESH
            and None not in (before.settings, after.settings)
            and _carries(before, name) != _carries(after, name),
        )
        for name in both
    ]
    gone = [name for name in before.profiles if name not in after.scripts]
    new = [name for name in after.profiles if name not in before.scripts]
    notes = []
    for name in new:
        # Equal annotations count, not equal scripts: a profile is what pods carry.
        old = next((one for one in gone if _carries(before, one) == _carries(after, name)), None)
        if old is not None:
            gone.remove(old)
            notes.append(
                f"profile {old} is called {name} now: the same annotations, no pod changes"
            )
            found.append(Pair(name=name, before=(before, old), after=(after, name)))
        else:
            notes.append(f"profile {name} is new: pods that carry its annotations get its lists")
            found.append(Pair(name=name, before=(after, MESH), after=(after, name), offered=True))
    notes += [
        f"profile {name} is gone: pods that carry its annotations keep them" for name in gone
    ]
    return tuple(found), tuple(notes)


def _carries(side: Side, profile: str) -> object:
    if side.settings is None:
        return side.scripts[profile]
    kept = {item for item in side.entries if item.scope == profile}
    return {(item.kind, canonical(item.value) or item.value) for item in kept}


def traffic_of(regions: Iterable[Region]) -> Traffic:
    """The set of some regions' packets."""
    from fsm_stack.iptables.sets.reach import Traffic as Value  # noqa: PLC0415  # for its name

    builder = Diagrams()
    empty = Value(builder.constant(value=False), builder.constant(value=False))
    return reduce(lambda one, two: one | two, (_one(region) for region in regions), empty)


def _one(region: Region) -> Traffic:
    from fsm_stack.iptables.sets.reach import Traffic as Value  # noqa: PLC0415  # for its name

    builder = Diagrams()
    box = builder.box(limits_of(region), value=True, other=False)
    none = builder.constant(value=False)
    return Value(box, none) if region.direction == "outbound" else Value(none, box)


def limits_of(region: Region) -> dict[str, list[Any]]:
    """A region's sets by the names of the axes."""
    return {
        "protocol": [*region.protocols],
        "interface": [*region.interfaces],
        "uid": [*region.uids],
        "port": [*region.ports],
        "source": [*region.sources],
        "destination": [*region.destinations],
    }


def rules_changes(compared: Sequence[Pair], fates: Fates) -> tuple[RulesChange, ...]:
    """The scopes whose rules differ, those that differ in the same way together.

    Rules that are the same but for their order, or for the order of their ports, are told as a
    change of text that changes no traffic; where they do change it, the traffic says so.
    """
    groups: dict[Any, tuple[list[str], RulesChange]] = {}
    for pair in compared:
        if (
            pair.offered
            or pair.before[0].scripts[pair.before[1]] == pair.after[0].scripts[pair.after[1]]
        ):
            continue
        change = _of_pair(pair, fates)
        key = (change.added, change.removed, change.same_traffic, change.refused)
        groups.setdefault(key, ([], change))[0].append(pair.name)
    return tuple(replace(change, scopes=tuple(names)) for names, change in groups.values())


def _of_pair(pair: Pair, fates: Fates) -> RulesChange:
    try:
        same = not fates.between(pair.before, pair.after)
    except Unreadable:
        same = False
    one, two = _rules(*pair.before), _rules(*pair.after)
    return RulesChange(
        scopes=(),
        added=tuple(line for key, line in two.items() if key not in one),
        removed=tuple(line for key, line in one.items() if key not in two),
        same_traffic=same,
        refused=refused(*pair.after),
    )


def _rules(side: Side, scope: str) -> dict[Any, RuleLine]:
    try:
        steps = side.reading(scope).ruleset.steps
    except RuleSyntaxError:
        return {}
    return {
        _meaning(step): RuleLine(text=step_line(step), why=step.rule.why.text) for step in steps
    }


def _meaning(step: Step) -> Any:  # noqa: ANN401  # a key
    matches = frozenset(_plain(match) for match in step.rule.matches)
    return (step.chain, matches, step.rule.target)


def _plain(match: Match) -> Any:  # noqa: ANN401  # a key
    if isinstance(match, Source | Destination):
        return (type(match).__name__, canonical(match.cidr) or match.cidr, match.negated)
    if isinstance(match, Multiport):
        return (frozenset(map(str, match.ports)), match.negated)
    return match
