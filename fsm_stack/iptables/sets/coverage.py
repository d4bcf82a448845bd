"""What every possible packet's fate is under a rule set, computed from the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.iptables.judge.loadable import beyond, jumps_of, require_loadable
from fsm_stack.iptables.packet import Untouched, one_of, protocol_number, verdict_of
from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    Accept,
    Decidable,
    Destination,
    DestinationPort,
    Dnat,
    ForeignMatch,
    ForeignTarget,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Redirect,
    Return,
    Source,
    UidOwner,
)
from fsm_stack.iptables.sets.diagram import AXES, Diagrams, Node, same
from fsm_stack.iptables.sets.ranges import (
    complement,
    interface_interval,
    interface_matches,
    intersection,
    ipv4_range,
    merged,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fsm_stack.iptables.packet import Decided
    from fsm_stack.iptables.rule import Rule, Ruleset, Target
    from fsm_stack.iptables.sets.ranges import Interval

# Inside a chain: no rule has answered yet, and one has said RETURN.
OPEN: Final = None
RETURNED: Final = "returned"
# Axis name to its first point and its end.
WHOLE: Final = {name: (first, end) for name, first, end in AXES}
DESTINATION: Final = "destination"
# The interface that packets of a hook do not have.
_LACKING: Final = {OUTPUT: InInterface, PREROUTING: OutInterface}
_NOTHING: Final = Destination(cidr="0.0.0.0/0", negated=True)

Limits = dict[str, list["Interval"]]


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """The verdict of every packet: one diagram a direction, values are verdicts."""

    outbound: Node
    inbound: Node

    def __eq__(self, other: object) -> bool:
        """Whether every packet has the same verdict in both."""
        if not isinstance(other, Coverage):
            return NotImplemented
        return same(self.outbound, other.outbound) and same(self.inbound, other.inbound)

    __hash__ = None  # type: ignore[assignment]  # equal ones are not found cheaply


def coverage(ruleset: Ruleset) -> Coverage:
    """The verdict of every packet.

    Cost: n log n in the number of ranges, because neighbouring rules with one target are one set.

    Raises:
        NotLoadableError: iptables would refuse the rules.
        TooComplexError: they differ too much from one another.
    """
    chains = require_loadable(ruleset)
    builder = Diagrams(rules=len(ruleset.steps))
    done: dict[str, Node] = {}
    hooks = {}
    for hook in (OUTPUT, PREROUTING):
        seen = seen_from(chains, hook)
        chain = chain_diagram(builder, seen, hook, done if seen is chains else {})
        hooks[hook] = builder.convert(_finally, chain)
    return Coverage(hooks[OUTPUT], hooks[PREROUTING])


def entered(chains: Mapping[str, tuple[Rule, ...]], hook: str) -> set[str]:
    """The hook and every chain that its jumps lead to."""
    pairs = ((name, rule) for name, rules in chains.items() for rule in rules)
    return beyond(jumps_of(pairs), {hook})


def seen_from(chains: Mapping[str, tuple[Rule, ...]], hook: str) -> Mapping[str, tuple[Rule, ...]]:
    """The chains that a hook enters, without matches of the interface that its packets lack.

    iptables refuses ``-i`` in OUTPUT itself, and takes it in a chain that OUTPUT jumps to. There
    the name of the interface is empty: ``-i eth0`` matches nothing, ``! -i eth0`` and ``-i +``
    everything. Seen in the kernel with both back ends.

    Rules keep their places; one that matches nothing says so. The same mapping comes back when
    there is nothing to change.
    """
    inside = {name: chains[name] for name in entered(chains, hook)}
    if not any(_lacking(rule, hook) for rules in inside.values() for rule in rules):
        return chains
    return {name: tuple(_seen(rule, hook) for rule in rules) for name, rules in inside.items()}


def _lacking(rule: Rule, hook: str) -> bool:
    return any(isinstance(match, _LACKING[hook]) for match in rule.matches)


def _seen(rule: Rule, hook: str) -> Rule:
    if not _lacking(rule, hook):
        return rule
    rest = []
    for match in rule.matches:
        if not isinstance(match, InInterface | OutInterface) or not isinstance(
            match, _LACKING[hook]
        ):
            rest.append(match)
        elif interface_matches(match.name, "") == match.negated:
            rest.append(_NOTHING)
    return replace(rule, matches=tuple(rest))


@dataclass(frozen=True, slots=True)
class Several:
    """All answers that can be where a rule may apply that nobody here decides.

    Attributes:
        among: two or more.
        on: the matches that are not decided.
    """

    among: frozenset[Any]
    on: frozenset[str]


def _finally(value: Any) -> Any:  # noqa: ANN401  # a diagram's values are verdicts or marks
    if isinstance(value, Several):
        return one_of({_finally(one) for one in value.among}, value.on)
    return Untouched() if value is OPEN or value == RETURNED else value


def chain_diagram(
    builder: Diagrams, chains: Mapping[str, tuple[Rule, ...]], name: str, done: dict[str, Node]
) -> Node:
    """What a chain makes of every packet that enters it; ``OPEN``: it comes back undecided."""
    if name not in done:
        groups = same_target_groups(chains[name])
        answers = [group_answer(builder, chains, group, done) for group in groups]
        whole = folded(builder, first_answer, answers or [builder.constant(OPEN)])
        done[name] = builder.convert(_given_back, whole)
    return done[name]


def _given_back(value: Any) -> Any:  # noqa: ANN401  # a diagram's values
    """A chain's answer to who jumped to it."""
    if isinstance(value, Several):
        return either({_given_back(one) for one in value.among}, value.on)
    return OPEN if value == RETURNED else value


def first_answer(now: Any, then: Any) -> Any:  # noqa: ANN401  # a diagram's values
    """What two neighbouring parts of a chain make of a packet."""
    if now is OPEN:
        return then
    return either({*(now.among - {OPEN}), then}, now.on) if is_open(now) else now


def is_open(value: Any) -> bool:  # noqa: ANN401  # a diagram's value
    """Whether the rules that follow may be met."""
    return value is OPEN or (isinstance(value, Several) and OPEN in value.among)


def either(answers: Iterable[Any], on: frozenset[str]) -> Any:  # noqa: ANN401  # a diagram's values
    """The value when each of these can be, by matches that are not decided."""
    among: set[Any] = set()
    for answer in answers:
        if isinstance(answer, Several):
            among |= answer.among
            on |= answer.on
        else:
            among.add(answer)
    return Several(frozenset(among), on) if len(among) > 1 else among.pop()


def matches_one(one: Any, two: Any) -> Any:  # noqa: ANN401  # True, False, or what it depends on
    """Whether one of two rules matches: the undecided matches where both depend on some."""
    if one is True or two is True:
        return True
    return one | two if one and two else one or two


def folded(builder: Diagrams, how: Callable[[Any, Any], Any], parts: Sequence[Node]) -> Node:
    """One diagram of many, neighbour by neighbour: long ones meet late, so n log n in all."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        rest = parts[len(parts) // 2 * 2 :]
        parts = [*(builder.combine(how, one, two) for one, two in pairs), *rest]
    return parts[0]


def group_answer(
    builder: Diagrams,
    chains: Mapping[str, tuple[Rule, ...]],
    group: Sequence[Rule],
    done: dict[str, Node],
) -> Node:
    """What neighbouring rules that share a target make of every packet."""
    answer = _answer(builder, chains, group[0].target, done)
    chosen = matching(builder, group)
    return builder.combine(_when, chosen, answer)


def _when(hit: Any, fate: Any) -> Any:  # noqa: ANN401  # a diagram's values
    """What a rule makes of a packet that it matches, does not, or may match."""
    if hit is True:
        return fate
    return either((fate, OPEN), hit) if hit else OPEN


def _answer(
    builder: Diagrams,
    chains: Mapping[str, tuple[Rule, ...]],
    target: Target,
    done: dict[str, Node],
) -> Node:
    if isinstance(target, Jump):
        return chain_diagram(builder, chains, target.chain, done)
    constant: Node = builder.constant(answer_of(target))
    return constant


def answer_of(target: Return | Accept | Redirect | Dnat | ForeignTarget) -> Decided | str | None:
    """What a target that does not jump makes of a packet: a verdict, ``RETURNED``, ``OPEN``."""
    if isinstance(target, Return):
        return RETURNED
    goes_on = isinstance(target, ForeignTarget) and target.goes_on
    return OPEN if goes_on else verdict_of(target)


def _target(rule: Rule) -> Target:
    return rule.target


def same_target_groups(
    rules: Iterable[Rule], key: Callable[[Rule], object] = _target
) -> list[list[Rule]]:
    """Neighbouring rules with the same target: together they are one rule with a union of matches.

    True of jumps as well: a chain that returned a packet once returns it again.

    Args:
        rules: of a chain, in order.
        key: what rules of a group share; the target at least.
    """
    return [list(group) for _, group in groupby(rules, key)]


def matching(builder: Diagrams, rules: Iterable[Rule]) -> Node:
    """True where any of the rules matches; where one may, the matches that it depends on.

    Rules that differ in their destination only are merged by sorting; the rest one by one.
    """
    shapes: dict[tuple[Any, ...], tuple[Limits, list[Interval]]] = {}
    for rule in rules:
        limits = rule_limits(rule)
        if limits is None:
            continue
        ranges = limits.pop(DESTINATION, [WHOLE[DESTINATION]])
        foreign = [one.text for one in rule.matches if isinstance(one, ForeignMatch)]
        value = frozenset(foreign) or True
        key = (value, *((name, tuple(limits[name])) for name in sorted(limits)))
        shapes.setdefault(key, (limits, []))[1].extend(ranges)
    boxes = [
        builder.box({**limits, DESTINATION: merged(ranges)}, value=key[0], other=False)
        for key, (limits, ranges) in shapes.items()
    ]
    return folded(builder, matches_one, boxes or [builder.constant(value=False)])


def rule_limits(rule: Rule) -> Limits | None:
    """Axis name to the intervals a rule allows; None: no packet can match it.

    A match that nobody here decides limits nothing.
    """
    limits: Limits = {}
    for match in rule.matches:
        if isinstance(match, ForeignMatch):
            continue
        axis, intervals = _intervals(match)
        if match.negated:
            intervals = complement(intervals, *WHOLE[axis])
        if axis in limits:
            intervals = intersection(limits[axis], intervals)
        if not intervals:
            return None
        limits[axis] = intervals
    return limits


def _intervals(match: Decidable) -> tuple[str, list[Interval]]:
    match match:
        case Protocol():
            number = protocol_number(match.name)
            return ("protocol", [(number, number + 1) if number else WHOLE["protocol"]])
        case Source() | Destination():
            bounds = ipv4_range(match.cidr)
            axis = "source" if isinstance(match, Source) else DESTINATION
            return (axis, [bounds] if bounds else [])
        case InInterface() | OutInterface():
            return ("interface", [interface_interval(match.name)])
        case DestinationPort():
            first, last = match.ports.bounds
            return ("port", [(first, last + 1)])
        case Multiport():
            spans = [(ports.bounds[0], ports.bounds[1] + 1) for ports in match.ports]
            return ("port", [*merged(spans)])
        case UidOwner():
            return ("uid", [(match.bounds[0], match.bounds[1] + 1)])
        case _:
            assert_never(match)
