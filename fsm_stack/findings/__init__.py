"""What may be wrong, as values: a finding with its place, and the texts of every id by topic.

Here is what the catalogue says of one finding id, and how loud the finding is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final


class Severity(StrEnum):
    """How much a finding matters; ordered by :attr:`rank`."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error: to compare with ``--fail-on``."""
        return {"info": 0, "warning": 1, "error": 2}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One documented finding.

    Attributes:
        id: stable, kebab-case; never reused for another meaning.
        severity: of its findings, unless a context raises or lowers it.
        title: one line, what the finding says.
        why: what happens at run time when it is ignored.
        fix: what to do.
        hazard: the hazard ids (``H1``) it guards against, for people who know those.
        source: where the fact comes from: a kernel header, an upstream file, a document.
        acceptable: whether a stack may take it on purpose (``accept``); not where nothing works.
    """

    id: str
    severity: Severity
    title: str
    why: str
    fix: str
    hazard: tuple[str, ...] = ()
    source: str = ""
    acceptable: bool = True


# The rules of a topic are made by these: how loud a finding is; what is fatal no stack accepts.
info: Final = partial(Rule, severity=Severity.INFO)
warning: Final = partial(Rule, severity=Severity.WARNING)
error: Final = partial(Rule, severity=Severity.ERROR)
fatal: Final = partial(Rule, severity=Severity.ERROR, acceptable=False)
