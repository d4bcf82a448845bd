"""What a cause comes to: an id of the catalogue, the reason, what was seen, what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a program is not available.

    Attributes:
        id: of the catalogue.
        why: the reason.
        evidence: what was seen, in Kubernetes' or the program's own words; empty: nothing.
        fix: what to do.
    """

    id: str
    why: str
    evidence: str = ""
    fix: str = ""
