"""Findings that a run is told to leave out: ``ID``, or ``ID=OBJECT`` for one object alone."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.findings.catalogue import all_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings.finding import Finding


@dataclass(slots=True)
class Suppression:
    """One of them.

    Attributes:
        text: as the user has written it.
        id: the finding's.
        pattern: the object, the file or the path; ``*`` stands for anything, "" for every one.
        used: how many findings it has left out.
    """

    text: str
    id: str
    pattern: str
    used: int = 0

    def takes(self, item: Finding) -> bool:
        """Whether it leaves a finding out."""
        place = item.place
        names = (str(place.object or ""), place.file or "", place.path)
        return item.id == self.id and (
            not self.pattern or any(fnmatchcase(name, self.pattern) for name in names)
        )


class Suppressions:
    """What a run leaves out."""

    def __init__(self, texts: Iterable[str]) -> None:
        """The suppressions of a command line.

        Raises:
            InputError: for an id that is none.
        """
        self._known = [self._parsed(text) for text in texts]

    @staticmethod
    def _parsed(text: str) -> Suppression:
        rule_id, equals, pattern = text.partition("=")
        if rule_id not in all_rules():
            hint = did_you_mean(rule_id, all_rules())
            raise InputError(f"--suppress {text}: expected a finding's id, got {rule_id!r}{hint}")
        if equals and not pattern:
            raise InputError(f"--suppress {text}: expected an object, a file or a path behind '='")
        return Suppression(text, rule_id, pattern)

    def split(self, findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
        """Findings that count, and those that are left out."""
        kept: list[Finding] = []
        out: list[Finding] = []
        for item in findings:
            by = next((one for one in self._known if one.takes(item)), None)
            if by is not None:
                by.used += 1
            (kept if by is None else out).append(item)
        return kept, out

    def unused(self) -> list[str]:
        """Those that have left nothing out, as the user has written them."""
        return [one.text for one in self._known if not one.used]
