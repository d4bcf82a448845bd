"""Which rule decides about every possible packet: coverage with the reason in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.loadable import require_loadable
from fsm_stack.iptables.packet import May, ToListener, Untouched
from fsm_stack.iptables.rule import OUTPUT, PREROUTING, Dnat, Jump, Redirect
from fsm_stack.iptables.sets.coverage import (
    OPEN,
    RETURNED,
    answer_of,
    coverage,
    folded,
    matching,
    same_target_groups,
    seen_from,
)
from fsm_stack.iptables.sets.diagram import Diagrams, values
from fsm_stack.iptables.sets.reach import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsm_stack.iptables.packet import Direction
    from fsm_stack.iptables.rule import Reason, Rule, Ruleset, Target
    from fsm_stack.iptables.sets.diagram import Node
    from fsm_stack.iptables.sets.reach import Region

# What may become of a packet: the sidecar gets it; a rule lets it pass; no rule looks at it.
LaneName = Literal["sidecar", "bypass", "unseen"]
LANES: Final[tuple[LaneName, ...]] = ("sidecar", "bypass", "unseen")
HOOKS: Final[dict[Direction, str]] = {"outbound": OUTPUT, "inbound": PREROUTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Neighbouring rules of a chain, as one hook sees it, with one target and one reason."""

    rules: tuple[Rule, ...]
    hook: str

    @property
    def why(self) -> Reason:
        """Their reason."""
        return self.rules[0].why

    @property
    def ends(self) -> bool:
        """Whether they send the packet away themselves."""
        return isinstance(self.rules[0].target, Redirect | Dnat)


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a packet, and the group that decided; None: no rule looked at it."""

    verdict: Any
    group: int | None

    @property
    def lane(self) -> LaneName:
        """Where the packet goes."""
        if isinstance(self.verdict, ToListener):
            return "sidecar"
        return "unseen" if self.group is None else "bypass"


_UNDECIDED: Final = Fate(OPEN, None)
_TEXTS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Every packet's fate.

    Attributes:
        groups: what fates number.
        diagrams: by direction; their values are fates.
    """

    groups: tuple[Group, ...]
    diagrams: Mapping[Direction, Node]

    def fates(self, direction: Direction) -> list[Fate]:
        """Those that occur, in the order of the rules; what no rule looked at comes last."""
        found: list[Fate] = values(self.diagrams[direction])
        return sorted(found, key=lambda fate: (fate.group is None, fate.group or 0))

    def regions(self, direction: Direction, fate: Fate) -> list[Region]:
        """The packets of one fate."""
        return regions(direction, self.diagrams[direction], partial(eq, fate))


def regions(direction: Direction, diagram: Node, test: Callable[[Any], Any]) -> list[Region]:
    """Disjoint regions of the packets whose value passes a test."""
    builder = Diagrams()
    chosen = builder.convert(lambda value: bool(test(value)), diagram)
    nothing = builder.constant(value=False)
    outbound = direction == "outbound"
    traffic = Traffic(chosen if outbound else nothing, nothing if outbound else chosen)
    return list(traffic.regions())


def decisions(ruleset: Ruleset) -> Decisions:
    """Which rule decides about every packet.

    Raises:
        NotLoadableError: iptables would refuse the rules.
        TooComplexError: they differ too much from one another.
        InputError: what happens to some packet depends on a rule that is not decided here.
    """
    chains = require_loadable(ruleset)
    _require_decided(ruleset)
    builder = Diagrams(rules=len(ruleset.steps))
    groups: list[Group] = []
    diagrams: dict[Direction, Node] = {}
    for direction, hook in HOOKS.items():
        walk = _Chains(builder, seen_from(chains, hook), hook, groups)
        diagrams[direction] = builder.convert(_finally, walk.chain(hook))
    return Decisions(groups=tuple(groups), diagrams=diagrams)


def _require_decided(ruleset: Ruleset) -> None:
    """Where a rule that may apply makes no difference, it counts as one that does not."""
    foreign = [step.rule.foreign for step in ruleset.steps if step.rule.foreign]
    if not foreign:
        return
    fates = coverage(ruleset)
    if any(isinstance(one, May) for one in (*values(fates.outbound), *values(fates.inbound))):
        texts = "; ".join(dict.fromkeys(match.text for match in foreign))
        raise InputError(
            f"which rule decides about a connection depends on what is not decided here: "
            f"{texts[:_TEXTS_MAX]}; ask about one connection, or what is redirected"
        )


def _finally(fate: Fate) -> Fate:
    return fate if fate.verdict is not OPEN else Fate(Untouched(), fate.group)


class _Chains:
    """The diagrams of chains; a chain that several jumps enter is worked out once."""

    def __init__(
        self,
        builder: Diagrams,
        chains: Mapping[str, tuple[Rule, ...]],
        hook: str,
        groups: list[Group],
    ) -> None:
        self._builder, self._chains, self._groups = builder, chains, groups
        self._hook = hook
        self._done: dict[str, Node] = {}

    def chain(self, name: str) -> Node:
        """What a chain makes of every packet that enters it."""
        if name not in self._done:
            builder = self._builder
            groups = same_target_groups(self._chains[name], _target_and_reason)
            parts = [self._group(tuple(rules)) for rules in groups]
            whole = folded(builder, _then, parts or [builder.constant(_UNDECIDED)])
            self._done[name] = builder.convert(_back, whole)
        return self._done[name]

    def _group(self, rules: tuple[Rule, ...]) -> Node:
        number = len(self._groups)
        group = Group(rules=rules, hook=self._hook)
        self._groups.append(group)
        answer = self._answer(group, number)
        chosen = matching(self._builder, group.rules)
        return self._builder.combine(
            lambda hit, fate: fate if hit is True else _UNDECIDED, chosen, answer
        )

    def _answer(self, group: Group, number: int) -> Node:
        target = group.rules[0].target
        if isinstance(target, Jump):
            inner = self.chain(target.chain)
            return self._builder.convert(lambda fate: self._beyond(fate, number), inner)
        answer = answer_of(target)
        node: Node = self._builder.constant(_UNDECIDED if answer is OPEN else Fate(answer, number))
        return node

    def _beyond(self, fate: Fate, number: int) -> Fate:
        """A chain's answer to the group that entered it.

        A rule that redirects does not say why the packet came there; the group before it does.
        """
        if fate.group is None or self._groups[fate.group].ends:
            return Fate(fate.verdict, number)
        return fate


def _target_and_reason(rule: Rule) -> tuple[Target, Reason]:
    return (rule.target, rule.why)


def _then(now: Fate, then: Fate) -> Fate:
    """What two neighbouring parts of a chain make of a packet."""
    if now.verdict is not OPEN:
        return now
    return then if then.group is not None else now


def _back(fate: Fate) -> Fate:
    return Fate(OPEN, fate.group) if fate.verdict == RETURNED else fate
