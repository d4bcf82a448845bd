"""Traffic contracts, proved for every connection of every scope; a broken one has its witness.

A contract speaks of what applications send and receive: not of the sidecar's own connections, of
what stays in the pod, or of the ports of the sidecar's helpers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fsm_stack.errors import InputError
from fsm_stack.iptables.packet import (
    ToListener,
    Untouched,
    redirected_to,
)
from fsm_stack.iptables.sets.coverage import Coverage
from fsm_stack.iptables.sets.diagram import Diagrams
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.iptables.sets.written import written
from fsm_stack.lists import MESH
from fsm_stack.review.entries import entry_line, responsible
from fsm_stack.review.fates import Fates, Unreadable, traffic_of
from fsm_stack.review.model import EntryLine, Witness
from fsm_stack.review.reports.outcome import Broken
from fsm_stack.review.reports.words import (
    known_of,
    packet_of,
    packet_text,
    question_text,
    subject,
)
from fsm_stack.review.restarting.classes import with_workloads
from fsm_stack.review.side import place_text
from fsm_stack.review.traffic import decision, scope_text, scopes_text
from fsm_stack.settings.effective import places_of
from fsm_stack.well_known import INBOUND_LISTENER_PORT, OUTBOUND_LISTENER_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsm_stack.iptables.packet import Verdict
    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.reach import Region, Traffic
    from fsm_stack.review.reports.words import Known
    from fsm_stack.review.restarting.pods import Pods
    from fsm_stack.review.side import Side
    from fsm_stack.settings.models.policy import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A contract and where it stands.

    Attributes:
        contract: what was agreed on.
        place: ``Pulumi.prod.yaml:70``.
        new: the change itself makes it: nothing that was so before excuses it.
    """

    contract: Contract
    place: str
    new: bool = False

    @property
    def text(self) -> str:
        """``tcp 443: always, except for operator``."""
        spared = ", ".join(self.contract.except_profiles)
        tail = f", except for {spared}" if spared else ""
        return f"{self.contract.traffic}: {self.contract.verdict}{tail}"

    def keeps(self, verdict: Verdict) -> bool:
        """Whether a connection with this verdict keeps it."""
        wanted = ToListener if self.contract.verdict == "always" else Untouched
        return isinstance(verdict, wanted)


def contracts_of(
    side: Side, shared: Sequence[Placed] = (), *, before: Side | None = None
) -> tuple[Placed, ...]:
    """The contracts that bind a stack: the project's, then its own.

    Args:
        side: the stack.
        shared: the project's.
        before: the same stack at a Git revision: what it has not agreed on there is new, and what
            it agreed on there and takes away binds it still.
    """
    own = _own(side)
    if before is None or before.settings is None or not before.name.commit:
        return (*shared, *own)
    was = _own(before)
    return (*shared, *marked_new(own, was), *gone(was, own))


def _own(side: Side) -> tuple[Placed, ...]:
    return tuple(
        Placed(contract=one, place=place_text(side.place(("contracts", index))))
        for index, one in enumerate(() if side.settings is None else side.settings.contracts)
    )


def marked_new(now: Sequence[Placed], before: Sequence[Placed]) -> tuple[Placed, ...]:
    """Contracts, those marked that say what none before said; reason and owner do not count."""
    known = {one.text for one in before}
    return tuple(replace(one, new=one.text not in known) for one in now)


def gone(before: Sequence[Placed], now: Sequence[Placed]) -> tuple[Placed, ...]:
    """The contracts that are no more, or say something else now; reason and owner do not count."""
    kept = {one.text for one in now}
    return tuple(one for one in before if one.text not in kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Proves contracts of one side.

    Attributes:
        side: whose scopes they bind.
        fates: judged scripts.
        known: what is known of addresses.
        places: the ranges behind the contracts' names.
        before: the other side: what it breaks in the same way is marked so.
        places_before: the ranges behind the names there; None: the same.
    """

    side: Side
    fates: Fates
    known: Known
    places: Mapping[str, Sequence[str]]
    before: Side | None = None
    places_before: Mapping[str, Sequence[str]] | None = None

    def broken(self, contracts: Sequence[Placed]) -> tuple[Broken, ...]:
        """Every contract that some scope does not keep, with a witness for each way.

        Raises:
            InputError: a contract names a place without ranges.
        """
        return tuple(one for placed in contracts for one in self._of(placed))

    def unproved(self, contracts: Sequence[Placed]) -> tuple[str, ...]:
        """The pods for which nothing is proved, each with why; none where there is no contract."""
        if not contracts:
            return ()
        if self.side.no_scripts:
            return (self.side.no_scripts,)
        return tuple(self._unread())

    def _unread(self) -> Iterator[str]:
        for scope in self.side.scripts:
            try:
                self.fates.of(self.side, scope)
            except Unreadable as why:
                yield f"{scope_text(scope)}: {why}"
        yield from self.side.refused

    def _of(self, placed: Placed) -> Iterator[Broken]:
        try:
            bound = traffic_of(written(placed.contract.traffic).regions(self.places))
        except InputError as error:
            raise InputError(f"{placed.place}: {error}") from None
        groups: dict[str, list[tuple[str, Shift]]] = {}
        olds: dict[str, bool] = {}
        every = [name for name in self.side.scripts if name not in placed.contract.except_profiles]
        for scope in every:
            for shift in self._breaking(placed, self.side, scope, bound):
                old = not placed.new and self._was_so(shift.region, placed, scope)
                key = f"{region_text(shift.said)}{old}"
                groups.setdefault(key, []).append((scope, shift))
                olds[key] = old
        for key, group in groups.items():
            yield _told(placed, self.side, self.known, group, every, old=olds[key])

    def _breaking(self, placed: Placed, side: Side, scope: str, bound: Traffic) -> Sequence[Shift]:
        """From what happens to what should: the fewest regions of what breaks the contract."""
        try:
            actual = self.fates.of(side, scope)
        except Unreadable:
            return ()  # told as unproved
        builder = Diagrams()

        def of(verdicts: Any, inside: Any, port: int) -> Any:  # noqa: ANN401  # diagrams
            right = redirected_to(port) if placed.contract.verdict == "always" else Untouched()

            def kept(verdict: Any, hit: Any) -> Any:  # noqa: ANN401  # a verdict
                return right if hit and not placed.keeps(verdict) else verdict

            return builder.combine(kept, verdicts, inside)

        ideal = Coverage(
            of(actual.outbound, bound.outbound, OUTBOUND_LISTENER_PORT),
            of(actual.inbound, bound.inbound, INBOUND_LISTENER_PORT),
        )
        return shifts(actual, ideal)

    def _was_so(self, region: Region, placed: Placed, scope: str) -> bool:
        """Whether the other side breaks the contract for all of these packets, too.

        What the contract did not speak of there, its names having other ranges, was not broken.
        """
        if self.before is None:
            return False
        name = scope if scope in self.before.scripts else MESH
        if name not in self.before.scripts:
            return False
        places = self.places if self.places_before is None else self.places_before
        bound = traffic_of(written(placed.contract.traffic).regions(places))
        old = self._breaking(placed, self.before, name, bound)
        return not (traffic_of([region]) - traffic_of(shift.region for shift in old))


def _told(
    placed: Placed,
    side: Side,
    known: Known,
    group: Sequence[tuple[str, Shift]],
    every: Sequence[str],
    *,
    old: bool,
) -> Broken:
    scope, shift = group[0]
    scopes = tuple(dict.fromkeys(name for name, _ in group))
    packet = packet_of(shift.region, known)
    found = decision(side.reading(scope).ruleset, packet)
    verb = "bypasses the mesh" if placed.contract.verdict == "always" else "goes through the mesh"
    what = subject(shift.said)
    return Broken(
        contract=placed.text,
        place=placed.place,
        reason=placed.contract.reason,
        owner=placed.contract.owner,
        scopes=scopes,
        said=f"{what[:1].upper()}{what[1:]} {verb}{scopes_text(scopes, every)}",
        region=shift.region,
        entries=_entries(side, scopes, shift) if placed.contract.verdict == "always" else (),
        witness=Witness(
            packet=packet_text(packet),
            question=question_text(packet),
            scope=scope,
            before=found,
            after=found,
        ),
        before=old,
        new=placed.new,
    )


def _entries(side: Side, scopes: Sequence[str], shift: Shift) -> tuple[EntryLine, ...]:
    own = [item for item in side.entries if item.scope in (MESH, *scopes)]
    found = responsible(own, shift, lambda item: item)
    return tuple(entry_line(item, side, later=True) for item in found)


def prover_of(side: Side, pods: Pods | None = None) -> Prover:
    """What proves the contracts of one stack, for given workloads, too."""
    return Prover(
        side=side if pods is None else with_workloads(side, pods),
        fates=Fates(),
        known=known_of(side.settings),
        places=places_of(side.settings),
    )
