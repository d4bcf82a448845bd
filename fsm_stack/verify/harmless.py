"""Text of a cluster's objects, shown without harm: anyone who can make a pod writes some of it."""

from __future__ import annotations

import shlex
import unicodedata
from typing import Final

SHOWN_MAX: Final = 300
# Control, format (bidirectional marks, zero width), surrogates, private use, line separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: object, *, limit: int = SHOWN_MAX) -> str:
    """One line, printable, of bounded length; what is hidden is written out as an escape.

    Args:
        text: from a cluster or a file.
        limit: characters; what is longer ends in the number of characters left out.
    """
    plain = str(text)
    cut = plain[:limit]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(map(_visible, cut))
    more = len(plain) - limit
    return f"{shown}... ({more} more characters)" if more > 0 else shown


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def command(*words: str) -> str:
    """A command to paste into a shell; empty where a word is not printable ASCII.

    Names of Kubernetes objects are; others come from a file that somebody made up.
    """
    if not all(word.isascii() and word.isprintable() for word in words):
        return ""
    return shlex.join(words)
