"""Text from files and clusters, shown without harm to the terminal of whoever reads it."""

from __future__ import annotations

import unicodedata
from typing import Final

SHOWN_MAX: Final = 300
# Control, format (bidirectional marks, zero width), surrogates, private use, line separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: object, *, limit: int | None = SHOWN_MAX) -> str:
    """One line, printable, of bounded length; what is hidden is written out as an escape.

    Args:
        text: from a cluster or a file.
        limit: characters; what is longer ends in the number of characters left out.
            None for all of them.
    """
    plain = str(text)
    cut = plain[:limit]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(map(_visible, cut))
    more = len(plain) - len(cut)
    return f"{shown}... ({more} more characters)" if more > 0 else shown


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
