"""Where our objects differ from those of FSM's chart on purpose, and why: the only such list.

A path names a field after both sides are read by meaning: list entries by their ``name``,
arguments by their flag, the preset's JSON by its keys. Patterns match a whole value; groups of
one name have to match the same text on both sides. The parity test knows no other difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

ABSENT: Final = None
ANY: Final = r"(?s:.*)"
EVERY_PAIR: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference on purpose.

    Attributes:
        object: ``Kind/name``, with shell wildcards.
        path: the field, with shell wildcards; empty for the whole object.
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
        if not fnmatchcase(key, self.object) or not fnmatchcase(path, self.path):
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


DIFFERENCES: Final = ()
