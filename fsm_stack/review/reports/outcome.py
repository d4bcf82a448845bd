"""What a review is held to and leads to: declared changes, contracts, restarts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.errors import few

if TYPE_CHECKING:
    from fsm_stack.iptables.sets.reach import (
        Region,
    )
    from fsm_stack.review.model import EntryLine, Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One declared change.

    Attributes:
        text: as it was written.
        origin: ``--expect``, or the commit whose trailer says it.
        happens: every packet of it has the declared verdict afterwards.
        already: it had it before, too: nothing changes by it.
        missing: what of it has another verdict, in words; empty: nothing.
    """

    text: str
    origin: str
    happens: bool
    already: bool
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A contract that some pods do not keep.

    Attributes:
        contract: as it was written: ``tcp 5432 to 10.0.0.0/8: always``.
        place: where it stands.
        reason: why it was made.
        owner: whose it is.
        scopes: which pods: profiles, or workloads.
        said: what breaks it, in words.
        region: the same, exactly.
        entries: the entries that break it.
        witness: one packet of it; both decisions are of the second side.
        before: the first side breaks it in the same way.
        new: the change makes the contract.
    """

    contract: str
    place: str
    reason: str
    owner: str
    scopes: tuple[str, ...]
    said: str
    region: Region
    entries: tuple[EntryLine, ...]
    witness: Witness
    before: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PodClass:
    """Pods whose scripts are the same on each side.

    Attributes:
        pods: how many.
        owners: ``shop/Deployment/web`` with the number of its pods, the largest first.
        owner_count: all owners, also those that are not listed.
        namespaces: how many.
        annotations: the redirection annotations that they share.
        digest_before: of their script on the first side; empty: they get none.
        digest_after: of the second side's.
        changes: whether the two differ.
        stops: why the next pod would not start; empty: it starts.
        traffic: the sentences of what changes for them.
    """

    pods: int
    owners: tuple[tuple[str, int], ...]
    owner_count: int
    namespaces: int
    annotations: dict[str, str]
    digest_before: str
    digest_after: str
    changes: bool
    stops: str = ""
    traffic: tuple[str, ...] = ()

    @property
    def titles(self) -> str:
        """The largest owner, and how many more there are."""
        return few((title for title, _ in self.owners), 1, count=self.owner_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStep:
    """One owner's restart in a wave.

    Attributes:
        owner: ``shop/Deployment/web``.
        pods: how many it has.
        unavailable: at most so many of them are down at a time.
        command: what restarts it; wait: what waits for it.
    """

    owner: str
    pods: int
    unavailable: int
    command: str
    wait: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """Who has to restart so that the change reaches running pods.

    Attributes:
        rule: what is true without any workload.
        by_annotations: whether no pod changes that does not carry other annotations first.
        given: whether workloads were given.
        pods: how many change.
        of: how many were given.
        namespaces: in how many namespaces those are that change.
        scripts: how many different scripts all given pods have afterwards.
        classes: the classes, those that change first, the larger ones first.
        waves: the commands, wave by wave.
        held: owners that cannot restart within their budgets, each with why and what to do.
    """

    rule: str
    by_annotations: bool = False
    given: bool = False
    pods: int = 0
    of: int = 0
    namespaces: int = 0
    scripts: int = 0
    classes: tuple[PodClass, ...] = ()
    waves: tuple[tuple[WaveStep, ...], ...] = ()
    held: tuple[tuple[str, str], ...] = ()

    @property
    def stopped(self) -> tuple[str, ...]:
        """The given pods that would not start, with why."""
        return tuple(
            f"pods of {one.titles} would not start: {one.stops}"
            for one in self.classes
            if one.stops
        )
