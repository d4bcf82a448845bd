"""What the catalogue says of one finding id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One documented finding.

    Attributes:
        id: stable, kebab-case; never reused for another meaning.
        severity: ``error``, ``warning`` or ``info``.
        title: one line, what the finding says.
        why: what happens at run time when it is ignored.
        fix: what to do.
        hazard: the hazard ids (``H1``) it guards against, for people who know those.
        source: where the fact comes from: a kernel header, an upstream file, a document.
        acceptable: whether a stack may take it on purpose (``accept``); not where nothing works.
    """

    id: str
    severity: Literal["error", "warning", "info"]
    title: str
    why: str
    fix: str
    hazard: tuple[str, ...] = ()
    source: str = ""
    acceptable: bool = True
