"""Errors that a user can act on: each says what, where and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings.finding import Finding


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one probably means; letters of either case are equal."""
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake needs it

    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_case, n=1)
    return by_case[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'prod'?``, or nothing when no known word is near."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""


class FsmStackError(Exception):
    """Base of every error of this package that is the input's fault, not a defect of ours.

    The command line prints its message without a traceback and exits with 2.
    """


class InputError(FsmStackError):
    """A file or an argument that cannot be used at all, for example text that is not YAML."""


class FindingsError(FsmStackError):
    """Settings or documents with problems, all of them at once.

    Attributes:
        findings: every problem, in the order of its place in the file.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("\n".join(finding.as_text() for finding in findings))


class NotProvidedError(FsmStackError):
    """Something that upstream has and this package does not declare yet."""


class CouldNotCheckError(FsmStackError):
    """The check itself did not run (no cluster, no permission, a time-out): exit code 3."""
