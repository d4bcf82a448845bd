"""Rules that no packet reaches, exactly: what earlier rules take is computed, not guessed.

A dump may have tens of thousands of rules that differ in their destination only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.iptables.rule import OUTPUT, PREROUTING, Destination, ForeignTarget, Jump
from fsm_stack.iptables.sets.coverage import (
    DESTINATION,
    OPEN,
    WHOLE,
    entered,
    first_answer,
    folded,
    group_answer,
    is_open,
    matches_one,
    matching,
    rule_limits,
    seen_from,
)
from fsm_stack.iptables.sets.diagram import AXES, LEVELS, Diagrams
from fsm_stack.iptables.sets.ranges import IPV4_END, intersection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.iptables.rule import Rule
    from fsm_stack.iptables.sets.coverage import Limits
    from fsm_stack.iptables.sets.diagram import Node

Range = tuple[int, int]
Shape = tuple[tuple[str, tuple[object, ...]], ...]
# So many shapes are remembered: an injector's chain has seven. Each question looks at all of them.
_SHAPES_MAX: Final = 200


class Span:
    """A growing set of whole numbers, as disjoint half-open intervals."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def free(self, start: int, stop: int) -> list[Range]:
        """What of an interval is not in it."""
        gaps = []
        index = bisect_right(self._stops, start)
        while index < len(self._starts) and self._starts[index] < stop:
            if start < self._starts[index]:
                gaps.append((start, self._starts[index]))
            start = self._stops[index]
            index += 1
        return [*gaps, (start, stop)] if start < stop else gaps

    def add(self, start: int, stop: int) -> None:
        """Take an interval in."""
        first, end = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if first < end:
            start, stop = min(start, self._starts[first]), max(stop, self._stops[end - 1])
        self._starts[first:end] = [start]
        self._stops[first:end] = [stop]


class Covers:
    """Rules so far, to be asked for the first that alone takes all packets of another.

    Rules of one shape, that is with the same limits apart from the destination, are found by
    their range: at most 33 ranges hold a given one. Rules past the first 200 shapes are not known.
    """

    def __init__(self) -> None:
        self._shapes: dict[Shape, tuple[Limits, dict[Range, tuple[int, Rule]]]] = {}
        self._odd: list[tuple[int, Rule, Limits]] = []

    def add(self, number: int, rule: Rule, limits: Limits) -> None:
        """A rule and its place in the chain."""
        ranges = limits.get(DESTINATION, [WHOLE[DESTINATION]])
        if len(ranges) > 1:  # a negated range
            if len(self._odd) < _SHAPES_MAX:
                self._odd.append((number, rule, limits))
            return
        rest = {axis: limits[axis] for axis in sorted(limits) if axis != DESTINATION}
        shape = tuple((axis, tuple(intervals)) for axis, intervals in rest.items())
        if shape in self._shapes or len(self._shapes) < _SHAPES_MAX:
            self._shapes.setdefault(shape, (rest, {}))[1].setdefault(ranges[0], (number, rule))

    def of(self, limits: Limits) -> Rule | None:
        """The first rule that takes everything within the limits; None: no single one does."""
        ranges = limits.get(DESTINATION, [WHOLE[DESTINATION]])
        around = list(_around(ranges[0][0], ranges[-1][1]))
        found = [
            known[block]
            for rest, known in self._shapes.values()
            if _inside(limits, rest)
            for block in around
            if block in known
        ]
        found += [(number, rule) for number, rule, wide in self._odd if _inside(limits, wide)]
        return min(found, key=lambda one: one[0])[1] if found else None


def _around(start: int, stop: int) -> Iterator[Range]:
    """Every CIDR that holds an interval, as intervals, the narrowest first."""
    size = 1 << (start ^ (stop - 1)).bit_length()
    while size <= IPV4_END:
        base = start & ~(size - 1)
        yield (base, base + size)
        size <<= 1


def _inside(narrow: Limits, wide: Limits) -> bool:
    return all(
        axis in narrow and intersection(narrow[axis], intervals) == narrow[axis]
        for axis, intervals in wide.items()
    )


# A packet that does not come to the rules that are looked at.
_ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A rule that never applies.

    Attributes:
        chain: its chain.
        number: its place there in the kernel's order, 1-based.
        rule: the rule.
        matches: whether it matches some packet that enters the chain: others take them all.
        covered_by: the first single rule of the chain that takes all its packets for good; None:
            several together do, or the chain has too many kinds of rules to look at each.
    """

    chain: str
    number: int
    rule: Rule
    matches: bool
    covered_by: Rule | None


def dead_rules(chains: Mapping[str, tuple[Rule, ...]]) -> Iterator[Dead]:
    """Every rule that no packet entering its chain can reach, of the chains that some enter.

    What enters a chain is what the rules that jump to it let in: only packets that a chain gets
    count.

    Args:
        chains: of a loadable rule set, in the kernel's order.

    Raises:
        TooComplexError: they differ too much from one another.
    """
    by_hook = [entered(chains, hook) for hook in (PREROUTING, OUTPUT)]
    seen: dict[str, tuple[Rule, ...]] = {}
    for hook, inside in zip((PREROUTING, OUTPUT), by_hook, strict=True):
        mine = seen_from(chains, hook)
        for name in inside:
            if mine is not chains and mine[name] != chains[name] and by_hook[0] & by_hook[1]:
                return  # a chain may be another one to each hook's packets
            seen[name] = mine[name]
    own = {id(new): old for name, rules in seen.items()
           for new, old in zip(rules, chains[name], strict=True)}  # fmt: skip
    for dead in _dead(seen):
        cover = own[id(dead.covered_by)] if dead.covered_by else None
        yield replace(dead, rule=own[id(dead.rule)], covered_by=cover)


def _dead(chains: Mapping[str, tuple[Rule, ...]]) -> Iterator[Dead]:
    builder = Diagrams(rules=sum(map(len, chains.values())))
    entering, answers = _entering(chains), _Answers(chains, builder, {})
    for name, rules in chains.items():
        if rules:
            yield from _dead_in_chain(answers, name, rules, entering.get(name, []))


def _entering(chains: Mapping[str, tuple[Rule, ...]]) -> dict[str, list[Limits]]:
    """By chain, what each jump to it lets in; one entry without limits for a hook."""
    found: dict[str, list[Limits]] = {PREROUTING: [{}], OUTPUT: [{}]}
    for rules in chains.values():
        for rule in rules:
            if isinstance(rule.target, Jump) and (limits := rule_limits(rule)) is not None:
                found.setdefault(rule.target.chain, []).append(limits)
    return found


@dataclass(frozen=True, slots=True)
class _Answers:
    """What is known of all chains: their rules, and their diagrams so far."""

    chains: Mapping[str, tuple[Rule, ...]]
    builder: Diagrams
    done: dict[str, Node]


def _dead_in_chain(
    answers: _Answers, name: str, rules: tuple[Rule, ...], entering: list[Limits]
) -> Iterator[Dead]:
    covers = Covers()
    walk = _Walk(answers, entering)
    for met in walk.over(rules):
        taken = Span()
        for place, rule in enumerate(met.run, start=met.number):
            inside = rule_limits(rule)
            if _leaves(rule):
                taken = Span()
            if inside is None or not _reachable(met.left, inside, taken):
                matches = inside is not None and _meets(walk.entering, inside, 0)
                cover = covers.of(inside) if inside is not None else None
                yield Dead(chain=name, number=place, rule=rule, matches=matches, covered_by=cover)
            if inside is not None and not met.comes_back and not _leaves(rule):
                covers.add(place, rule, inside)


def _leaves(rule: Rule) -> bool:
    """Whether packets within the rule's limits may go on to the next rule."""
    target = rule.target
    return rule.foreign is not None or (isinstance(target, ForeignTarget) and target.goes_on)


@dataclass(frozen=True, slots=True)
class _Met:
    """A run of rules when it is tried.

    ``number`` is the first rule's in the chain, ``left`` what is still open of the packets that
    the run matches; ``comes_back`` says whether it jumps and some of those are still open then.
    """

    run: Sequence[Rule]
    number: int
    left: Node
    comes_back: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Neighbouring rules: either a run of like ones, or two halves.

    ``number`` is the first rule's in the chain, ``matched`` and ``answer`` are of all of them.
    """

    run: Sequence[Rule]
    number: int
    matched: Node
    answer: Node
    halves: tuple[_Part, ...] = ()


class _Walk:
    """Through a chain, with what is left for each run of rules.

    Halves of the chain are looked at with their own packets only: n rules cost n log n.
    """

    def __init__(self, answers: _Answers, entering: list[Limits]) -> None:
        builder = self._builder = answers.builder
        self._chains, self._done = answers.chains, answers.done
        boxes = [builder.box(limits, OPEN, _ELSEWHERE) for limits in entering]
        self.entering = folded(builder, _either_open, boxes or [builder.constant(OPEN)])

    def over(self, rules: Sequence[Rule]) -> Iterator[_Met]:
        return self._met(self._halved(self._parts(_runs(rules), 1)), self.entering)

    def _parts(self, runs: Iterable[Sequence[Rule]], number: int) -> list[_Part]:
        parts = []
        for run in runs:
            answer = group_answer(self._builder, self._chains, run, self._done)
            parts.append(_Part(run, number, matching(self._builder, run), answer))
            number += len(run)
        return parts

    def _halved(self, parts: Sequence[_Part]) -> _Part:
        if len(parts) == 1:
            return parts[0]
        middle = len(parts) // 2
        first, second = self._halved(parts[:middle]), self._halved(parts[middle:])
        matched = self._builder.combine(matches_one, first.matched, second.matched)
        answer = self._builder.combine(first_answer, first.answer, second.answer)
        return _Part((), first.number, matched, answer, (first, second))

    def _met(self, part: _Part, state: Node) -> Iterator[_Met]:
        builder = self._builder
        state = builder.combine(lambda now, hit: now if hit else _ELSEWHERE, state, part.matched)
        if part.halves:
            first, second = part.halves
            yield from self._met(first, state)
            yield from self._met(second, builder.combine(first_answer, state, first.answer))
            return
        then = builder.combine(first_answer, state, part.answer)
        comes_back = isinstance(part.run[0].target, Jump) and _meets(then, {}, 0)
        if comes_back and len(part.run) > 1:
            singles = self._parts([[rule] for rule in part.run], part.number)
            yield from self._met(self._halved(singles), state)
            return
        yield _Met(part.run, part.number, state, comes_back)


def _either_open(one: object, two: object) -> object:
    return OPEN if one is OPEN or two is OPEN else one


def _runs(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Neighbouring rules that differ in their destination only."""

    def shape(rule: Rule) -> tuple[object, ...]:
        rest = frozenset(match for match in rule.matches if not isinstance(match, Destination))
        return (rule.target, rest)

    for _, run in groupby(rules, key=shape):
        yield list(run)


def _reachable(state: Node, limits: Limits, taken: Span) -> bool:
    """Whether some undecided packet is inside the limits and not taken by the run so far."""
    wanted = limits.get(DESTINATION, [WHOLE[DESTINATION]])
    free = [gap for interval in wanted for gap in taken.free(*interval)]
    for interval in wanted:
        taken.add(*interval)
    return bool(free) and _meets(state, {**limits, DESTINATION: free}, 0)


def _meets(node: Any, limits: Limits, level: int) -> bool:  # noqa: ANN401  # node or value
    """Whether a box holds a point whose value is still open."""
    if level == LEVELS:
        return is_open(node)
    name = AXES[level][0]
    for start, stop in limits.get(name, [WHOLE[name]]):
        index = bisect_right(node.starts, start) - 1
        while index < len(node.starts) and (stop is None or node.starts[index] < stop):
            if _meets(node.children[index], limits, level + 1):
                return True
            index += 1
    return False
