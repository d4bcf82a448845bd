"""A review as text, Markdown and findings: one model, templates that loop over finished values.

What somebody wrote into a file or a cluster is shown and does nothing: no control character, no
link, no mention, no HTML. Source: GitHub Flavored Markdown, its mention and issue references.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.credentials import without_user
from fsm_stack.errors import counted
from fsm_stack.findings.finding import Finding, Severity, finding, harmless
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.redirection.origins import notes_text
from fsm_stack.review.compare import NEW_PODS, NO_PODS
from fsm_stack.review.entries import LOCAL_PROXY_MODE
from fsm_stack.review.intent import NOTHING
from fsm_stack.review.model import Level
from fsm_stack.review.risk import risk
from fsm_stack.review.side import placed
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsm_stack.review.model import (
        EntryLine,
        FieldChange,
        ObjectChange,
        Review,
        Risk,
        TrafficChange,
    )
    from fsm_stack.review.reports.outcome import Broken, Expected

# What finds our own comment again in a pull request.
MARKER: Final = "<!-- fsm-stack-review -->"
# GitHub takes 65,536 characters; what posts the comment may add some.
MARKDOWN_MAX: Final = 59_000
# Items a section and characters a text, from generous to tight; the last always fits.
_BUDGETS: Final = ((200, 600), (60, 300), (20, 200), (8, 120), (3, 80))
_TERMINAL: Final = (1_000_000, 2_000)
_SIGNS: Final = {"added": "+", "removed": "-"}
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9 .,:;/'()%=-]")
# A word joiner is not seen, and keeps GitHub from making links of what follows.
_LINKS: Final = re.compile(r"(?<=[@#!])|(?=://)|(?<=www)(?=\.)", re.IGNORECASE)
_JOINER: Final = "\u2060"
_NAMES_MAX: Final = 8
_FOR_EVERY_POD: Final = "a setting for every pod"
_TICKS: Final = re.compile("`+")


def text_lines(found: Review) -> list[str]:
    """The review for a terminal."""
    shape = Shape(plain=True, items=_TERMINAL[0], characters=_TERMINAL[1])
    return render("review/terminal.txt.j2", **view(found, shape)).rstrip("\n").split("\n")


def markdown(found: Review, *, fail_on: Level) -> str:
    """The review as a comment of a pull request: always below :data:`MARKDOWN_MAX` characters."""
    text = fitting(found, fail_on=fail_on, limit=MARKDOWN_MAX)
    if text is None:
        raise AssertionError("the tightest budget does not fit")  # a defect of ours: bounded
    return text


def fitting(found: Review, *, fail_on: Level, limit: int) -> str | None:
    """The same in at most so many characters; None: not even the tightest form fits."""
    for items, characters in _BUDGETS:
        shape = Shape(plain=False, items=items, characters=characters)
        verdict = "Stopped" if found.stops(fail_on) else "Passed"
        text = render("review/comment.md.j2", marker=MARKER, verdict=verdict, **view(found, shape))
        if len(text) <= limit:
            return text
    return None


class Shape:
    """How texts of others are shown, and how many of them.

    Args:
        plain: for a terminal; else for Markdown.
        items: at most so many of each list.
        characters: at most so many of each text.
    """

    def __init__(self, *, plain: bool, items: int, characters: int) -> None:
        self.plain, self.items, self.characters = plain, items, characters

    def line(self, text: str) -> str:
        """A sentence."""
        shown = harmless(without_user(text), limit=self.characters)
        return shown if self.plain else prose(shown)

    def code(self, text: str) -> str:
        """Something to be read letter by letter."""
        shown = harmless(without_user(text), limit=self.characters)
        return shown if self.plain else code(shown)

    def raw(self, text: str) -> str:
        """A line of a fenced block."""
        shown = harmless(without_user(text), limit=self.characters)
        # A shorter run of backticks cannot end the block.
        return shown if self.plain else _TICKS.sub("'", shown)

    def some(self, items: Sequence[Any], of: Callable[[Any], Any]) -> dict[str, Any]:
        """The first items, each shown, and the number of those that are left out."""
        return {
            "shown": [of(item) for item in items[: self.items]],
            "more": max(0, len(items) - self.items),
            "count": len(items),
        }


def prose(text: str) -> str:
    """Text in a Markdown sentence that stays text."""
    joined = _LINKS.sub(_JOINER, text)
    return _SPECIAL.sub(
        lambda match: match[0] if match[0] == _JOINER else f"&#{ord(match[0])};", joined
    )


def code(text: str) -> str:
    """Text as a Markdown code span that nothing in it can end."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not text.strip() else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


def view(found: Review, shape: Shape) -> dict[str, Any]:
    """The values that the templates loop over."""
    return {
        "before": shape.line(found.before.title),
        "after": shape.line(found.after.title),
        "risk": found.risk_text,
        "headline": shape.line(found.headline),
        "timing": shape.line(_timing(found)),
        "traffic": shape.some(found.traffic, lambda one: _traffic(one, shape)),
        "collateral": shape.some(
            found.collateral if found.expected else (), lambda one: shape.line(one.sentence)
        ),
        "expected": shape.some(
            found.expected,
            lambda one: {
                "text": shape.code(one.text),
                "origin": shape.line(one.origin),
                "outcome": shape.line(_outcome(one)),
            },
        ),
        "broken": shape.some(
            found.broken,
            lambda one: {
                "contract": shape.code(one.contract),
                "about": shape.line(_joined(one.place, notes_text(one.reason, one.owner))),
                "said": shape.line(one.said),
                "before": one.before,
                "new": one.new,
                "entries": shape.some(one.entries, lambda item: _entry(item, shape)),
                "witness": shape.code(one.witness.packet),
                "rule": shape.code(f"{one.witness.after.verdict}: {one.witness.after.rule}"),
            },
        ),
        "contracts": found.contracts,
        "settings": shape.some(
            found.settings,
            lambda one: {
                "sign": _SIGNS.get(one.what, "~"),
                "line": shape.raw(_setting(one.path, one.what, one.before, one.after)),
                "place": shape.raw(one.after_place or one.before_place),
            },
        ),
        "objects": shape.some(_grouped(found.objects), lambda one: _object(one, shape)),
        "rules": shape.some(
            found.rules,
            lambda one: {
                "scopes": shape.raw(", ".join(one.scopes)),
                "same": one.same_traffic,
                "refused": shape.raw(one.refused),
                "added": shape.some(one.added, lambda line: shape.raw(line.text)),
                "removed": shape.some(one.removed, lambda line: shape.raw(line.text)),
            },
        ),
        "undecided": shape.some(found.undecided, shape.line),
        "restarts": _restarts(found, shape),
        "notes": shape.some(found.notes, shape.line),
        "findings": shape.some(found.findings, lambda one: shape.line(one.as_text())),
        "assumptions": shape.some(found.assumptions, shape.line),
    }


def _outcome(one: Expected) -> str:
    if one.text.split() == [NOTHING]:
        return "holds" if one.happens else "does not hold"
    if not one.happens:
        return f"does not happen: {one.missing}"
    if one.already:
        return "was so before"
    return f"happens, apart from {one.missing}" if one.missing else "happens"


def _timing(found: Review) -> str:
    if not found.traffic:
        return ""
    restarts = found.restarts
    if restarts is not None and restarts.by_annotations and not restarts.pods:
        return NO_PODS
    if restarts is None or not restarts.given:
        return NEW_PODS
    where = f"{counted(restarts.pods, 'pod')} in {counted(restarts.namespaces, 'namespace')}"
    return f"New pods change at once, running ones at their restart: {where}."


def _traffic(one: TrafficChange, shape: Shape) -> dict[str, Any]:
    witness = one.witness
    return {
        "risk": one.risk.level.value,
        "meant": one.meant,
        "sentence": shape.line(one.sentence),
        "why": shape.line(one.risk.why),
        "names": shape.line("; ".join(one.names)),
        "entries": shape.some(one.entries, lambda item: _entry(item, shape)),
        "regions": shape.some(
            one.regions,
            lambda part: {
                "scopes": shape.line(", ".join(part.scopes)),
                "region": shape.code(region_text(part.region)),
            },
        ),
        "packet": shape.code(witness.packet),
        "question": shape.code(witness.question),
        "was": shape.code(_joined(witness.before.verdict, witness.before.rule)),
        "now": shape.code(_joined(witness.after.verdict, witness.after.rule)),
    }


def _entry(item: EntryLine, shape: Shape) -> dict[str, str]:
    notes = notes_text(item.reason, item.owner, item.until)
    return {
        "entry": shape.code(f"{item.path}: {item.value}"),
        "place": shape.line(item.place),
        "about": shape.line(_FOR_EVERY_POD if item.path == LOCAL_PROXY_MODE else notes),
        "gone": "" if item.side == "after" else "taken out",
    }


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _setting(path: str, what: str, before: str | None, after: str | None) -> str:
    if what == "reordered":
        return f"{path}: the same entries in another order"
    return f"{path}: {_change(before, after)}"


def _change(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return str(after if before is None else before)
    return f"{before} -> {after}"


def _grouped(
    objects: Iterable[ObjectChange],
) -> list[tuple[str, list[ObjectChange], tuple[FieldChange, ...]]]:
    """Objects that differ in the same way, together: a new release changes a label of all."""
    groups: dict[Any, list[ObjectChange]] = {}
    for item in objects:
        groups.setdefault((item.what, item.why, item.fields), []).append(item)
    return [(what, items, fields) for (what, _, fields), items in groups.items()]


def _object(
    group: tuple[str, list[ObjectChange], tuple[FieldChange, ...]], shape: Shape
) -> dict[str, Any]:
    what, items, changes = group
    names = [
        " ".join((one.kind, f"{one.namespace}/{one.name}".lstrip("/")))
        for one in items[:_NAMES_MAX]
    ]
    if len(items) > _NAMES_MAX:
        names.append(f"and {len(items) - _NAMES_MAX} more")
    told = [one for one in changes if not one.repeats]
    left = counted(len(changes) - len(told), "field") if len(changes) > len(told) else ""
    return {
        "what": what,
        "sign": _SIGNS.get(what, "~"),
        "names": shape.raw(", ".join(names)),
        "why": shape.raw(items[0].why),
        "fields": shape.some(
            told,
            lambda one: (
                f"{_SIGNS.get(one.what, '~')} "
                + shape.raw(_setting(one.path, one.what, one.before, one.after))
            ),
        ),
        "repeats": f"{left} that repeat the MeshConfig" if left else "",
    }


def _restarts(found: Review, shape: Shape) -> dict[str, Any]:
    known = found.restarts
    if known is None:
        return {"rule": "", "given": False}
    return {
        "rule": shape.line(known.rule),
        "given": known.given,
        "summary": shape.line(
            f"{known.pods:,} of {counted(known.of, 'pod')} change, in "
            f"{counted(known.namespaces, 'namespace')}; all of them have "
            f"{counted(known.scripts, 'script')}"
        ),
        "classes": shape.some(
            [one for one in known.classes if one.changes or one.stops],
            lambda one: {
                "pods": counted(one.pods, "pod"),
                "owners": shape.code(", ".join(name for name, _ in one.owners)),
                "more": max(0, one.owner_count - len(one.owners)),
                "stops": shape.line(one.stops),
                "traffic": shape.line("; ".join(one.traffic)),
            },
        ),
        "waves": shape.some(
            known.waves,
            lambda wave: shape.some(
                wave,
                lambda step: {"command": shape.raw(step.command), "wait": shape.raw(step.wait)},
            ),
        ),
        "held": shape.some(known.held, lambda one: shape.line(f"{one[0]}: {one[1]}")),
    }


_SEVERITIES: Final = {
    Level.HIGH: Severity.ERROR,
    Level.MEDIUM: Severity.WARNING,
    Level.LOW: Severity.INFO,
    Level.NONE: Severity.INFO,
}


def findings_of(found: Review) -> Iterator[Finding]:
    """The review as findings, for code scanning and for exit codes of other verbs."""
    for one in found.traffic:
        if one.meant:
            continue
        rule_id = "traffic-bypasses" if one.effect == "bypassed" else "traffic-changes"
        yield _placed(
            finding(rule_id, one.sentence, severity=_SEVERITIES[one.risk.level]), one.entries
        )
    for late in found.expected:
        if late.missing and not late.happens:
            message = f"{late.text} ({late.origin}) does not happen: {late.missing}"
            yield finding("change-missing", message)
    if found.expected:
        for one in found.collateral:
            yield _placed(finding("change-not-declared", one.sentence), one.entries)
    yield from map(broken_finding, found.broken)
    stopped = () if found.restarts is None else found.restarts.stopped
    for why in (*found.undecided, *stopped):
        yield finding("change-undecided", why)
    yield from _weakened(found)
    yield from found.findings


def _weakened(found: Review) -> Iterator[Finding]:
    """What stops for another reason than a connection: settings, objects, contracts that go."""

    def of(path: str, graded: Risk, place: str = "") -> Finding:
        item = finding(
            "change-weakens", f"{path}: {graded.why}", severity=_SEVERITIES[graded.level]
        )
        stands = placed(place or found.after.file)
        return item.at(file=stands.file, line=stands.line, path=path)

    for setting in found.settings:
        if setting.risk is not None:
            yield of(setting.path, setting.risk, setting.after_place)
    for item in found.objects:
        if item.risk is not None:
            yield of(f"{item.kind} {item.name}", item.risk)
    yield from map(gone_finding, found.gone)


def gone_finding(contract: str) -> Finding:
    """A contract of every stack that a change takes away."""
    return finding(
        "change-weakens", f"{contract}: {risk('contract-dropped').why}", path="contracts"
    )


def broken_finding(broken: Broken) -> Finding:
    """A contract that is not kept, at the entry that breaks it, else at the contract."""
    message = f"{broken.contract}: {broken.said}; witness {broken.witness.packet}"
    item = _placed(finding("contract-broken", message), broken.entries)
    if item.place.file:
        return item
    place = placed(broken.place)
    return item.at(file=place.file, line=place.line, path="contracts")


def _placed(item: Finding, entries: Sequence[EntryLine]) -> Finding:
    entry = next((one for one in entries if one.side == "after"), None)
    if entry is None or not entry.place:
        return item
    place = placed(entry.place)
    return item.at(file=place.file, line=place.line, path=entry.path)
