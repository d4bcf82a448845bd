"""A stack's lists made smaller without a change of any connection's verdict, list by list.

Each list is made smaller by itself, because pods bring lists of their own: what two mesh lists
make redundant together may count for a pod whose annotations add to one of them. Every change is
proved for the mesh, for every profile, and for a pod that includes every address; a change that
is not proved is not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import (
    interface_interval,
    intersection,
    ipv4_range,
    ipv4_ranges,
    merged,
)
from fsm_stack.iptables.sets.tidy import tidy
from fsm_stack.iptables.write import script
from fsm_stack.lists import INCLUDED_RANGES, InterceptLists, Lists
from fsm_stack.redirection.origins import intercept_lists
from fsm_stack.settings.effective import list_paths, profile_lists
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.iptables.sets.coverage import Coverage
    from fsm_stack.lists import ListName
    from fsm_stack.settings.effective import AnyEntry
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

# Stands for every pod: what it includes is all that annotations could make count.
_ANY_POD: Final = Lists(included_ranges=("0.0.0.0/0",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One entry of a tidy list.

    Attributes:
        home: the entry of the old list in whose place it stands.
        merged: all entries of the old list that are in it, its home among them.
        value: port, range or interface.
        reason: the reasons of all of them.
        owner: the owners of all of them.
        until: the earliest end; None: none has one.
    """

    home: int
    merged: tuple[int, ...]
    value: int | str
    reason: str
    owner: str
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEdit:
    """One list and what it becomes.

    Attributes:
        path: the list's place in the settings.
        name: the list.
        before: its entries.
        after: fewer or shorter ones with the same meaning, in the order of the file.
    """

    path: Path
    name: ListName
    before: tuple[AnyEntry, ...]
    after: tuple[Kept, ...]

    def __str__(self) -> str:
        """``traffic.outboundPortExclusionList: 3 entries become 2: 6379, 7070``."""
        count = len(self.before)
        entries = "1 entry becomes" if count == 1 else f"{count} entries become"
        values = ", ".join(str(item.value) for item in self.after)
        return f"{path_text(self.path)}: {entries} {len(self.after)}" + (
            f": {values}" if values else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A list that could be smaller and stays as it is, and why."""

    path: Path
    why: str

    def __str__(self) -> str:
        """``traffic.outboundPortExclusionList: left alone: ...``."""
        return f"{path_text(self.path)}: left alone: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying:
    """What there is to tidy in a stack.

    Attributes:
        settings: the stack after all edits.
        edits: one for each list that gets smaller, in the order of the file.
        left: lists that could be smaller and stay.
    """

    settings: StackSettings
    edits: tuple[ListEdit, ...]
    left: tuple[Left, ...]


def tidying(settings: StackSettings) -> Tidying:
    """The smallest equal lists of a stack, each proved."""
    now, edits, left = settings, [], []
    for path, name, entries in list_paths(settings):
        edit = _edit(settings, path, name, entries)
        if edit is None:
            continue
        then = with_edit(now, edit)
        why = _refused(settings, edit) or _unproved(now, then)
        if why:
            left.append(Left(path=path, why=why))
        else:
            now = then
            edits.append(edit)
    return Tidying(settings=now, edits=tuple(edits), left=tuple(left))


def with_edit(settings: StackSettings, edit: ListEdit) -> StackSettings:
    """The settings with one list replaced."""
    field = edit.name.setting
    entries = tuple(
        edit.before[item.home].model_copy(
            update={
                "value": item.value,
                "reason": item.reason,
                "owner": item.owner,
                "until": item.until,
            }
        )
        for item in edit.after
    )
    if edit.path[0] == "traffic":
        traffic = settings.traffic.model_copy(update={field: entries})
        return settings.model_copy(update={"traffic": traffic})
    name = str(edit.path[1])
    profiles = dict(settings.annotation_profiles)
    profiles[name] = profiles[name].model_copy(update={field: entries})
    return settings.model_copy(update={"annotation_profiles": profiles})


def _edit(
    settings: StackSettings, path: Path, name: ListName, entries: tuple[AnyEntry, ...]
) -> ListEdit | None:
    """What a list becomes; None when it is tidy already."""
    old = tuple(entry.value for entry in entries)
    try:
        new = _smaller(settings, path, name, old)
    except InputError:  # nothing of the kind passes validation
        return None
    if sorted(map(str, new)) == sorted(map(str, old)):
        return None
    after = tuple(sorted(kept_of(entries, new), key=lambda item: item.home))
    return ListEdit(path=path, name=name, before=entries, after=after)


def _smaller(
    settings: StackSettings, path: Path, name: ListName, old: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The list made smaller by itself; inclusions lose what exclusions of the same pods take."""
    alone: dict[str, Any] = {name.field: old}
    new = tidy(InterceptLists(**alone)).lists.entries(name)
    if name is not INCLUDED_RANGES:
        return new
    pod = profile_lists(settings, str(path[1])) if path[0] != "traffic" else None
    excluded = merged(ipv4_ranges(intercept_lists(settings, pod).excluded_ranges))
    live = tuple(text for text in new if not _inside(text, excluded))
    return live or new  # an empty inclusion list would mean every address


def _inside(text: str, ranges: Sequence[tuple[int, int]]) -> bool:
    own = ipv4_ranges((text,))
    return intersection(own, ranges) == own


def kept_of(entries: tuple[AnyEntry, ...], values: Sequence[int | str]) -> Iterator[Kept]:
    """Each value of a new list with the entries of the old one that it touches."""
    for value in values:
        inside = [n for n, entry in enumerate(entries) if _overlap(entry.value, value)]
        same = [n for n in inside if entries[n].value == value]
        home = (same or inside)[0]
        ends = [end for n in inside if (end := entries[n].until) is not None]
        yield Kept(
            home=home,
            merged=tuple(inside),
            value=value,
            reason=_joined([entries[n].reason for n in inside], "; "),
            owner=_joined([entries[n].owner for n in inside], ", "),
            until=min(ends, default=None),
        )


def _joined(texts: Sequence[str], between: str) -> str:
    return between.join(dict.fromkeys(text for text in texts if text))


def _overlap(old: int | str, new: int | str) -> bool:
    if isinstance(old, int) or isinstance(new, int):
        return old == new
    first, second = ipv4_range(old), ipv4_range(new)
    if first is None or second is None:
        return bool(intersection([interface_interval(old)], [interface_interval(new)]))
    return first[0] < second[1] and second[0] < first[1]


def edit_refused(settings: StackSettings, edit: ListEdit) -> str:
    """Why a list must not be edited whatever it means; empty: it may."""
    inside = f"{path_text(edit.path)}["
    if any(entry.path.startswith(inside) for entry in settings.accept):
        return "accept names an entry of it by its number"
    return ""


def _refused(settings: StackSettings, edit: ListEdit) -> str:
    """The same of an edit that may only shorten a list."""
    if why := edit_refused(settings, edit):
        return why
    homes = [item.home for item in edit.after]
    if len(set(homes)) < len(homes):
        return "its entries overlap in a way that has no one place for each"
    return ""


def _unproved(before: StackSettings, after: StackSettings) -> str:
    """Why the two are not known to treat every connection alike; empty: they are."""
    profiles = before.annotation_profiles
    scopes = {"the mesh": Lists(), "pods with lists of their own": _ANY_POD}
    pairs = [(name, pod, pod) for name, pod in scopes.items()]
    pairs += [
        (f"profile {name}", profile_lists(before, name), profile_lists(after, name))
        for name in profiles
    ]
    for name, old_pod, new_pod in pairs:
        old, new = intercept_lists(before, old_pod), intercept_lists(after, new_pod)
        if old == new:
            continue
        try:
            same = _fates(old, before) == _fates(new, after)
        except NotLoadableError as error:
            return f"{name}: {error}"
        if not same:
            return f"{name} would treat some connection differently"
    return ""


def _fates(lists: InterceptLists, settings: StackSettings) -> Coverage:
    return coverage(read(script(lists, settings.profile)).ruleset)
