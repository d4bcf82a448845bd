"""The smallest lists that keep every bypassed connection that was seen; nothing else is claimed.

Each list is narrowed inside of itself: no connection bypasses the mesh that did not before, unless
new bypasses are asked for. Ports come first, because a port takes every address: one stays only
where some connection has no range to fall under. Ranges then hold what is left with the fewest
addresses that the number of entries allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.flows.evidence import day_text, known_entries, traffic_text
from fsm_stack.flows.objects import PRIVATE
from fsm_stack.flows.row import OUTBOUND
from fsm_stack.flows.rulebook import EVERY, Rulebook, verdicts
from fsm_stack.flows.tally import BYPASS, THROUGH, Total
from fsm_stack.iptables.sets.ranges import (
    Span,
    cidr_text,
    complement,
    dotted,
    intersection,
    ipv4_range,
    merged,
    smallest,
)
from fsm_stack.iptables.sets.tidy import cover
from fsm_stack.lists import EXCLUDED_RANGES, INBOUND_PORTS, MESH, OUTBOUND_PORTS
from fsm_stack.redirection.tidying import Kept, Left, ListEdit, edit_refused, kept_of, with_edit
from fsm_stack.settings.effective import list_paths
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.flows.evidence import Known, Observed
    from fsm_stack.flows.tally import Seen
    from fsm_stack.lists import ListName
    from fsm_stack.settings.effective import AnyEntry
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

# What this module wrote behind a reason before.
_EVIDENCE: Final = re.compile(
    r"(?:; )?[0-9,]+ connections?, [0-9.]+ [kMGTP]?B seen [0-9-]{10} to [0-9-]{10}$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """What there is to narrow.

    Attributes:
        settings: the stack after all edits.
        edits: one for each list that gets narrower.
        left: lists that stay as they are although logs were read for them, and why.
        new: destinations that would bypass on request, with their traffic.
    """

    settings: StackSettings
    edits: tuple[ListEdit, ...]
    left: tuple[Left, ...]
    new: tuple[tuple[str, Total], ...]

    @property
    def back(self) -> tuple[str, ...]:
        """What comes back into the mesh, in sentences."""
        return tuple(sentence for edit in self.edits for sentence in _back(edit))

    def made(self, before: StackSettings, edits: Sequence[ListEdit]) -> Recommended:
        """The same with those edits alone that a file's text took."""
        now = before
        for edit in edits:
            now = with_edit(now, edit)
        return replace(self, settings=now, edits=tuple(edits))


def recommend(observed: Observed, today: date, *, entries: int, new: int = 0) -> Recommended:
    """The smallest lists of a stack that keep every bypassed connection that was seen.

    Args:
        observed: what was seen.
        today: for entries with an end.
        entries: so many ranges a list may have.
        new: so many destinations that go through the sidecar are to bypass it from now on.

    Raises:
        InputError: nothing that was seen could tell a bypass.
    """
    if not observed.complete:
        raise InputError(
            "these logs hold only what a sidecar took: nothing tells which bypasses are used; "
            "expected Hubble, VPC, Goldmane or CSV logs beside them"
        )
    if not observed.total:
        raise InputError("no connection of these logs was judged: nothing can be recommended")
    settings = observed.judge.now.settings
    needs = _Needs(observed)
    now = settings
    edits: list[ListEdit] = []
    left: list[Left] = []
    for path, name, old in list_paths(settings):
        after, why = _after(path, name, old, needs, entries)
        if path == ("traffic", EXCLUDED_RANGES.key) and new:
            after = [*(kept_of(old, [one.value for one in old]) if after is None else after)]
            after += _added(observed, old, new)
            why = "" if old else "the list is empty: write an entry of it first"
        if why:
            left.append(Left(path=path, why=why))
        if after is None or why:
            continue
        edit = ListEdit(path=path, name=name, before=old, after=tuple(after))
        if refused := edit_refused(settings, edit):
            left.append(Left(path=path, why=refused))
            continue
        now = with_edit(now, edit)
        edits.append(edit)
    _require_kept(observed, Rulebook(now, today))
    return Recommended(
        settings=now,
        edits=tuple(edits),
        left=tuple(left),
        new=tuple(_candidates(observed)[:new]),
    )


class _Needs:
    """What the lists have to keep, by the entries that take it now."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.entries = observed.judge.now.entries
        self.known = {item.entry.path: item for item in known_entries(observed)}
        self.pinned = observed.tally.pinned
        self.ports: set[int] = set(self.pinned)
        self._ranges: list[tuple[tuple[int, ...], tuple[int, ...], Seen]] = []
        for taken, seen in observed.tally.seen.items():
            own = self._own(taken)
            ports = tuple(n for n in own if self.entries[n].kind != EXCLUDED_RANGES.key)
            ranges = tuple(n for n in own if self.entries[n].kind == EXCLUDED_RANGES.key)
            if not ranges:
                self.ports.update(ports[:1])
            else:
                self._ranges.append((ranges, ports, seen))

    def _own(self, taken: tuple[int, ...]) -> tuple[int, ...]:
        """The entries of which one has to stay; none where a preset takes it anyway."""
        if any(self.entries[number].path.endswith(".presets") for number in taken):
            return ()
        of_mesh = tuple(number for number in taken if self.entries[number].scope == MESH)
        return of_mesh or taken

    def addresses(self, numbers: Sequence[int]) -> list[tuple[Span, Total]]:
        """What the ranges of one list have to hold, with its traffic."""
        found = []
        for ranges, ports, seen in self._ranges:
            if set(ranges) & set(numbers) and not self.ports & set(ports):
                found += [((start, end), total) for start, end, total in seen.intervals()]
        return found


def _after(
    path: Path, name: ListName, old: tuple[AnyEntry, ...], needs: _Needs, most: int
) -> tuple[list[Kept] | None, str]:
    """What a list becomes, None where it stays as it is; and why it has to."""
    if name not in (EXCLUDED_RANGES, OUTBOUND_PORTS, INBOUND_PORTS) or not old:
        return None, ""
    known = [needs.known[path_text((*path, index))] for index in range(len(old))]
    if all(item.status == "unknown" and not item.evidence.may for item in known):
        return None, known[0].why
    if name is EXCLUDED_RANGES:
        return _ranges(old, known, needs, most)
    stays = [item.status == "unknown" or item.number in needs.ports for item in known]
    if all(stays):
        return None, ""
    kept = [entry.value for entry, stay in zip(old, stays, strict=True) if stay]
    return list(kept_of(old, kept)), ""


def _ranges(
    old: tuple[AnyEntry, ...], known: Sequence[Known], needs: _Needs, most: int
) -> tuple[list[Kept] | None, str]:
    numbers = [item.number for item in known]
    bounds = [ipv4_range(str(entry.value)) or EVERY for entry in old]
    allowed = merged([*bounds])
    found = needs.addresses(numbers)
    whole = [
        span
        for item, span in zip(known, bounds, strict=True)
        if item.number in needs.pinned or item.status == "unknown"
    ]
    wanted = merged([*(span for span, _ in found), *whole])
    chosen = smallest(wanted, allowed, most)
    if chosen is None:
        fewest = len(cover(intersection(wanted, allowed), complement(allowed, *EVERY)))
        return None, f"what was seen needs at least {fewest} ranges; --entries allows {most}"
    size = sum(end - start for start, end in allowed)
    if sum(end - start for start, end in chosen) == size:
        return None, ""
    spelled = {span: str(entry.value) for span, entry in zip(bounds, old, strict=True)}
    values = [spelled.get(span, cidr_text(*span)) for span in chosen]
    kept = []
    for item, span in zip(kept_of(old, values), chosen, strict=True):
        total = Total()
        for (start, end), traffic in found:
            if start < span[1] and span[0] < end:
                total.add(traffic.values())
        narrower = span not in spelled
        kept.append(_with_evidence(item, total) if narrower and total else item)
    return sorted(kept, key=lambda item: item.home), ""


def _with_evidence(item: Kept, total: Total) -> Kept:
    """The entry with what was seen of it behind its reason, once."""
    seen = f"{traffic_text(total)} seen {day_text(total.first)} to {day_text(total.last)}"
    reason = _EVIDENCE.sub("", item.reason)
    return replace(item, reason=f"{reason}; {seen}" if reason else seen)


def _added(observed: Observed, old: tuple[AnyEntry, ...], new: int) -> Iterator[Kept]:
    """New entries behind the last one; they have no owner yet."""
    for value, total in _candidates(observed)[:new]:
        kept = Kept(home=len(old) - 1, merged=(), value=value, reason="", owner="", until=None)
        yield _with_evidence(kept, total)


def _candidates(observed: Observed) -> list[tuple[str, Total]]:
    """Destinations outside of the cluster that go through the sidecar, the biggest first."""
    found: dict[int, Total] = {}
    for flow, total in observed.tally.flows.items():
        way, _, peer, _, _, now, _ = flow
        outside = isinstance(peer, int) and not any(a <= peer < b for a, b in PRIVATE)
        if way == OUTBOUND and now == THROUGH and isinstance(peer, int) and outside:
            found.setdefault(peer, Total()).add(total.values())
    ranked = sorted(found.items(), key=lambda item: (-item[1].bytes, -item[1].rows, item[0]))
    return [(f"{dotted(peer)}/32", total) for peer, total in ranked]


def _back(edit: ListEdit) -> Iterator[str]:
    """What comes back into the mesh, in sentences."""
    where = path_text(edit.path)
    if edit.name is EXCLUDED_RANGES:
        old = merged([ipv4_range(str(entry.value)) or EVERY for entry in edit.before])
        new = merged([ipv4_range(str(item.value)) or EVERY for item in edit.after])
        inside = intersection(old, new)
        count = sum(b - a for a, b in old) - sum(b - a for a, b in inside)
        if count:
            told = (
                "1 address, to which no"
                if count == 1
                else f"{count:,} addresses, to none of which a"
            )
            yield f"{where}: {told} connection was seen"
        return
    kept = {item.value for item in edit.after}
    side = "to" if edit.name is OUTBOUND_PORTS else "at"
    for entry in edit.before:
        if entry.value not in kept:
            yield f"{where}: connections {side} port {entry.value}, of which none needs it"


def _require_kept(observed: Observed, after: Rulebook) -> None:
    """Prove by the rules themselves that no bypassed connection is lost.

    Raises:
        RuntimeError: one is; a defect.
    """
    entries = observed.judge.now.entries
    for taken, seen in observed.tally.seen.items():
        scopes = {entries[number].scope for number in taken} - {MESH}
        rules = after.rules(scopes.pop() if scopes else MESH, None)
        ports = [int(entries[n].value) for n in taken if entries[n].value.isdigit()]
        inbound = any(entries[number].kind == INBOUND_PORTS.key for number in taken)
        node = rules.inbound if inbound else rules.outbound
        for start, end, _ in seen.intervals():
            asked = ((EVERY,), ports[0]) if inbound else (((start, end),), (*ports, 1)[0])
            inside = inbound or any(
                intersection([(start, end)], [ipv4_range(entries[n].value) or EVERY])
                == [(start, end)]
                for n in taken
                if not entries[n].value.isdigit()
            )
            if (inside or ports) and verdicts(node, asked) != {BYPASS}:
                raise RuntimeError(f"a bypassed connection would be lost: {asked}")
