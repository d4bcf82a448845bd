"""One difference on purpose between our objects and those of FSM's chart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

ABSENT: Final = None
ANY: Final = r"(?s:.*)"
EVERY_PAIR: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference on purpose.

    Attributes:
        object: ``Kind/name``; ``*`` is any text.
        path: the field; ``*`` is any text; empty for the whole object.
        ours: pattern of our value; None where we have none.
        charts: pattern of the chart's value; None where it has none.
        reason: why ours is another.
        pairs: the recorded value sets that show it, ``*`` for every one; empty where only
            values show it that none of them sets.
    """

    object: str
    path: str
    ours: str | None
    charts: str | None
    reason: str
    pairs: tuple[str, ...] = (EVERY_PAIR,)

    def covers(self, key: str, path: str, ours: str | None, charts: str | None) -> bool:
        """Whether this is the difference between two values, given as text or None."""
        if not _like(self.object, key) or not _like(self.path, path):
            return False
        groups: dict[str, str] = {}
        for pattern, value in ((self.ours, ours), (self.charts, charts)):
            if (pattern is None) is not (value is None):
                return False
            if pattern is None or value is None:
                continue
            match = re.fullmatch(pattern, value)
            if match is None:
                return False
            for name, text in match.groupdict().items():
                if groups.setdefault(name, text) != text:
                    return False
        return True


def _like(pattern: str, text: str) -> bool:
    """Whether a text has the pattern's form; brackets are themselves, unlike in a shell."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
