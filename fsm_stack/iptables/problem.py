"""A fault of a text that the reader reports and recovers from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault and its place.

    Attributes:
        id: the finding's id in the catalogue.
        message: what is wrong.
        fix: what to do.
        line: 1-based.
        column: 1-based.
    """

    id: str
    message: str
    fix: str
    line: int
    column: int
