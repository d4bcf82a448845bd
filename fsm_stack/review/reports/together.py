"""Every stack of a pull request in one report: the verdict of each, the riskiest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import finding
from fsm_stack.review.model import SCHEMA_VERSION, Level, plain
from fsm_stack.review.reports.report import (
    MARKDOWN_MAX,
    MARKER,
    Shape,
    findings_of,
    fitting,
    gone_finding,
    text_lines,
)
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.findings.finding import Finding
    from fsm_stack.review.compare import Comparison
    from fsm_stack.review.model import Review

_LINES_MAX: Final = 60
_CHARACTERS_MAX: Final = 300
# What folding a stack's review adds to it, its name of up to 100 characters included.
_FOLD: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One stack of a pull request.

    Attributes:
        stack: its name.
        review: what its change does; None: there are no two sides to compare.
        both: the two sides of the review.
        said: what there is to say without a review: it is new, gone, unchanged, or invalid.
        stops: whether that alone is not to be merged without a person.
        bad: a side of it cannot be read, or does not validate.
    """

    stack: str
    review: Review | None = None
    both: Comparison | None = None
    said: str = ""
    stops: bool = False
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What a pull request does to every stack of a project.

    Attributes:
        against: the revision that it is compared with, as it was named.
        parts: each stack, by name.
        gone: contracts of all stacks that the revision had and the work tree has no more.
    """

    against: str
    parts: tuple[Part, ...]
    gone: tuple[str, ...] = ()

    def stops(self, fail_on: Level) -> bool:
        """Whether the change is not to be merged as it is."""
        gone = bool(self.gone) and Level.MEDIUM.rank >= fail_on.rank
        return gone or any(_stops(part, fail_on) for part in self.parts)

    @property
    def bad(self) -> bool:
        """Whether a stack is bad input."""
        return any(part.bad for part in self.parts)

    def as_json(self, fail_on: Level) -> dict[str, Any]:
        """Plain values for ``--output json``."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "against": self.against,
            "stops": self.stops(fail_on),
            "contractsGone": list(self.gone),
            "stacks": [
                {
                    "stack": part.stack,
                    "stops": _stops(part, fail_on),
                    "said": _verdict(part),
                    "review": None if part.review is None else plain(part.review.as_json()),
                }
                for part in self.parts
            ],
        }

    def findings(self) -> Iterator[Finding]:
        """All of it for code scanning: what has no review is a finding where it stops."""
        for part in self.parts:
            if part.review is not None:
                yield from findings_of(part.review)
            elif part.stops:
                rule_id = "change-undecided" if part.bad else "change-weakens"
                yield finding(rule_id, f"{part.stack}: {part.said}")
        yield from map(gone_finding, self.gone)

    def text_lines(self) -> list[str]:
        """All of it for a terminal, a stack after the other."""
        shape = Shape(plain=True, items=_LINES_MAX, characters=_CHARACTERS_MAX)
        lines = [f"no longer agreed on: {shape.line(one)}" for one in self.gone]
        same = [part.stack for part in self.parts if self.gone and _unchanged(part)]
        lines += [f"{', '.join(same)}: nothing else changes"] if same else []
        for part in self.parts:
            if part.stack in same:
                continue
            if part.review is None:
                lines.append(f"{part.stack}: {shape.line(part.said)}")
            else:
                lines += [*([""] if lines else []), *text_lines(part.review), ""]
        return lines[:-1] if lines and not lines[-1] else lines

    def markdown(self, fail_on: Level) -> str:
        """One comment for the pull request, below ``MARKDOWN_MAX`` characters."""
        shape = Shape(plain=False, items=_LINES_MAX, characters=_CHARACTERS_MAX)
        parts = sorted(self.parts, key=lambda part: _order(part, fail_on))
        told = [part for part in parts if part.review is not None and not part.review.nothing]
        alone = told[0] if len(told) == 1 else None
        values: dict[str, Any] = {
            "marker": MARKER,
            "verdict": "Stopped" if self.stops(fail_on) else "Passed",
            "headline": shape.line(self._headline(parts, fail_on)),
            "gone": shape.some(self.gone, shape.code),
            "stacks": shape.some(
                parts,
                lambda part: {
                    "stack": shape.code(part.stack),
                    "stops": _stops(part, fail_on),
                    "said": "nothing else changes"
                    if self.gone and _unchanged(part)
                    else shape.line(_verdict(part)),
                },
            ),
        }
        bodies: list[str] = []
        left = MARKDOWN_MAX - len(render("review/together.md.j2", **values, bodies=[]))
        for number, part in enumerate(told):
            assert part.review is not None  # noqa: S101  # as told was made
            share = left // (len(told) - number) - _FOLD
            body = fitting(part.review, fail_on=fail_on, limit=share)
            if body is not None:
                bodies.append(_folded(body, part.stack, opened=part is alone))
                left -= len(bodies[-1])
        return render("review/together.md.j2", **values, bodies=bodies)

    def _headline(self, parts: Sequence[Part], fail_on: Level) -> str:
        if not parts:
            return "There is no stack"
        first = parts[0]
        if self.gone and not _stops(first, fail_on):
            return f"A contract of every stack goes: {self.gone[0]}"
        if first.review is None and not first.stops:
            return "No stack changes"
        return f"{first.stack}: {_verdict(first)}"


def _folded(body: str, stack: str, *, opened: bool) -> str:
    """A stack's review below the list, without its head, which the list has told."""
    text = body.removeprefix(MARKER).lstrip("\n").partition("\n")[2].strip("\n")
    if opened:
        return text
    # A name of a stack has letters, digits, dots, dashes and underscores alone.
    return f"<details><summary>{stack}</summary>\n\n{text}\n\n</details>"


def _unchanged(part: Part) -> bool:
    """Whether a stack's own file and what it makes are as they were, and nothing is held up."""
    found = part.review
    return found is not None and not (
        not found.nothing or found.settings or found.objects or found.rules or found.broken
        or found.expected or found.notes or found.findings
    )  # fmt: skip


def _stops(part: Part, fail_on: Level) -> bool:
    return part.stops if part.review is None else part.review.stops(fail_on)


def _verdict(part: Part) -> str:
    """A stack's verdict in a sentence."""
    return part.said if part.review is None else part.review.headline


def _order(part: Part, fail_on: Level) -> tuple[bool, int, bool, str]:
    """What stops comes first, then by risk, then what changes at all."""
    risk = 0 if part.review is None else part.review.risk.rank
    return (not _stops(part, fail_on), -risk, part.review is None, part.stack)
