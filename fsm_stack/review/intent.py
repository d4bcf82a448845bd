"""Changes that were declared beforehand: what was meant happens, and nothing else does.

::

    bypass tcp 443 to 203.0.113.0/24
    mesh tcp 6379 to any on redis-client,batch in dev
    nothing

``bypass``: it leaves the mesh; ``mesh``: it goes through the sidecar; ``on``: for pods of these
profiles only, ``mesh`` for those without one; ``in``: of these stacks only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.iptables.packet import ToListener, Untouched
from fsm_stack.iptables.sets.coverage import Coverage
from fsm_stack.iptables.sets.diagram import Diagrams
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.reach import Traffic, region_text
from fsm_stack.iptables.sets.written import Written, written
from fsm_stack.review.fates import Unreadable, traffic_of
from fsm_stack.review.reports.outcome import Expected
from fsm_stack.review.traffic import in_order, regions_text, told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fsm_stack.iptables.packet import Verdict
    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.review.fates import Fates, Pair
    from fsm_stack.review.model import TrafficChange
    from fsm_stack.review.reports.words import Known

TRAILER: Final = "Traffic-Change"
NOTHING: Final = "nothing"
_WORDS: Final[dict[str, Literal["bypassed", "intercepted"]]] = {
    "bypass": "bypassed",
    "mesh": "intercepted",
}
# What limits a declared change, and to what.
_LIMITS: Final = {"on": "profiles", "in": "stacks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One declared change.

    Attributes:
        text: as it was written.
        origin: ``--expect``, or the commit whose trailer it is.
        effect: what its packets have afterwards; None: nothing changes at all.
        traffic: its packets; None: none.
        scopes: of these scopes only; empty: of all.
        stacks: of these stacks only; empty: of all.
    """

    text: str
    origin: str
    effect: Literal["bypassed", "intercepted"] | None
    traffic: Written | None
    scopes: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()

    def holds(self, verdict: Verdict) -> bool:
        """Whether a verdict is the declared one."""
        wanted = Untouched if self.effect == "bypassed" else ToListener
        return isinstance(verdict, wanted)

    def of(self, scope: str) -> bool:
        """Whether it speaks of a scope."""
        return self.traffic is not None and (not self.scopes or scope in self.scopes)


def intent(text: str, origin: str) -> Intent:
    """Read a declared change.

    Raises:
        InputError: it is none.
    """
    words = text.split()
    if not words or (words[0] not in _WORDS and words[0] != NOTHING):
        raise InputError(
            f"{origin}: expected 'bypass TRAFFIC', 'mesh TRAFFIC' or 'nothing', such as "
            f"'bypass tcp 443 to 203.0.113.0/24', got {text!r}"
        )
    limits: dict[str, tuple[str, ...]] = {}
    rest = words[1:]
    while left := [at for at, word in enumerate(rest) if word in _LIMITS and word not in limits]:
        word = rest[left[-1]]  # the last one first: they come in either order
        limits[word] = tuple(filter(None, "".join(rest[left[-1] + 1 :]).split(",")))
        rest = rest[: left[-1]]
        if not limits[word]:
            raise InputError(f"{origin}: {text!r}: expected {_LIMITS[word]} behind {word!r}")
    effect = _WORDS.get(words[0])
    if effect is None and (rest or "on" in limits):
        raise InputError(f"{origin}: {text!r}: expected nothing behind 'nothing' but 'in STACKS'")
    try:
        traffic = None if effect is None else written(" ".join(rest))
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None
    return Intent(
        text=text, origin=origin, effect=effect, traffic=traffic,
        scopes=limits.get("on", ()), stacks=limits.get("in", ()),
    )  # fmt: skip


def meant_for(
    intents: Sequence[Intent], stacks: Collection[str], known: Collection[str]
) -> tuple[list[Intent], list[str]]:
    """The declared changes that speak of some stacks, and notes about the others.

    Args:
        intents: all that were declared.
        stacks: those that are compared.
        known: every stack of the project.

    Raises:
        InputError: a change speaks of a stack that there is not.
    """
    meant: list[Intent] = []
    notes: list[str] = []
    for one in intents:
        for name in one.stacks:
            if name not in known:
                near = did_you_mean(name, known) or f"; expected one of {', '.join(sorted(known))}"
                raise InputError(f"{one.origin}: {one.text!r}: no stack {name!r}{near}")
        if not one.stacks or set(one.stacks) & set(stacks):
            meant.append(one)
        else:
            notes.append(f"declared for {', '.join(one.stacks)}, not here: {one.text}")
    return meant, notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A comparison held to what was declared."""

    expected: tuple[Expected, ...]
    collateral: tuple[TrafficChange, ...]


def held_to(
    intents: Sequence[Intent],
    compared: Sequence[Pair],
    fates: Fates,
    known: Known,
    places: Mapping[str, Sequence[str]],
    *,
    egress: bool,
) -> Held:
    """What of the declared changes happens, and what happens beside them.

    Raises:
        InputError: a change speaks of a profile that no side has, or of a place without ranges.
    """
    _require_scopes(intents, [pair.name for pair in compared])
    progress = {one: _Progress() for one in intents}
    groups: dict[tuple[str, ...], list[tuple[Pair, Shift]]] = {}
    for pair in compared:
        try:
            before, after = fates.of(*pair.before), fates.of(*pair.after)
        except Unreadable:
            continue  # told as undecided, which stops by itself
        allowed = after
        for one in intents:
            if one.traffic is not None and one.of(pair.name):
                meant = traffic_of(one.traffic.regions(places))
                wide = traffic_of(one.traffic.regions(places, everywhere=True))
                allowed = _without(allowed, before, after, wide, one)
                progress[one].take(_lacking(before, meant, one), _lacking(after, meant, one))
        for shift in shifts(before, allowed):
            key = (repr((shift.before, shift.after)), region_text(shift.said), str(pair.offered))
            groups.setdefault(key, []).append((pair, shift))
    every = [pair.name for pair in compared if not pair.offered]
    beside = in_order(told(group, every, known, egress=egress) for group in groups.values())
    return Held(
        expected=tuple(progress[one].told(one, kept=not beside) for one in intents),
        collateral=beside,
    )


@dataclass(slots=True)
class _Progress:
    """What became of a declared change: what still lacks it, and whether anything moved."""

    missing: dict[str, None] = field(default_factory=dict)
    moved: bool = False

    def take(self, before: Traffic, after: Traffic) -> None:
        """One scope: what did not have the declared verdict, before and after."""
        if after:
            self.missing[regions_text(after.regions())] = None
        self.moved = self.moved or bool(before - after)

    def told(self, one: Intent, *, kept: bool) -> Expected:
        """What there is to say of it.

        ``nothing`` holds where nothing happens beside what was declared; what does is told as
        that, and is missing nowhere.

        What comes back does so apart from what other entries take out: nobody has to declare
        those once more.
        """
        if one.traffic is None:
            return Expected(text=one.text, origin=one.origin, happens=kept, already=kept)
        returns = one.effect == "intercepted" and self.moved
        return Expected(
            text=one.text,
            origin=one.origin,
            happens=not self.missing or returns,
            already=not self.missing and not self.moved,
            missing="; ".join(self.missing),
        )


def _require_scopes(intents: Sequence[Intent], names: Sequence[str]) -> None:
    for one in intents:
        for scope in one.scopes:
            if scope not in names:
                raise InputError(
                    f"{one.origin}: {one.text!r}: no profile {scope!r}; "
                    f"expected one of {', '.join(names)}"
                )


def marked(changes: Sequence[TrafficChange], held: Held) -> tuple[TrafficChange, ...]:
    """The changes, those that no collateral is part of marked as meant."""
    beside = [traffic_of([part.region for part in one.regions]) for one in held.collateral]

    def meant(change: TrafficChange) -> bool:
        own = traffic_of([part.region for part in change.regions])
        return not any(
            bool(own & other) and set(change.scopes) & set(one.scopes)
            for one, other in zip(held.collateral, beside, strict=True)
        )

    return tuple(replace(change, meant=meant(change)) for change in changes)


def _without(
    allowed: Coverage, before: Coverage, after: Coverage, meant: Traffic, one: Intent
) -> Coverage:
    """The second side's verdicts with a declared change taken back."""
    builder = Diagrams()

    def of(left: Any, was: Any, now: Any, inside: Any) -> Any:  # noqa: ANN401  # diagrams
        declared = builder.combine(lambda verdict, hit: hit and one.holds(verdict), now, inside)
        old = builder.combine(lambda hit, verdict: verdict if hit else None, declared, was)
        return builder.combine(lambda kept, other: kept if other is None else other, left, old)

    return Coverage(
        of(allowed.outbound, before.outbound, after.outbound, meant.outbound),
        of(allowed.inbound, before.inbound, after.inbound, meant.inbound),
    )


def _lacking(fates: Coverage, meant: Traffic, one: Intent) -> Traffic:
    """What of the declared traffic does not have the declared verdict."""
    builder = Diagrams()

    def of(verdicts: Any, inside: Any) -> Any:  # noqa: ANN401  # diagrams
        return builder.combine(
            lambda hit, verdict: hit and not one.holds(verdict), inside, verdicts
        )

    return Traffic(
        of(fates.outbound, meant.outbound),
        of(fates.inbound, meant.inbound),
    )
