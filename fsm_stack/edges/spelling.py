"""Did you mean: the nearest known word to one that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'prod'?``, or nothing when no known word is near."""
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake needs it

    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_case, n=1)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""
