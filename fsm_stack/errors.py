"""Errors that a user can act on: each says what, where and what was expected."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def counted(number: int, noun: str) -> str:
    """``1 pod``, ``2 pods``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def few(
    values: Iterable[object], most: int, *, count: int | None = None, separator: str = ", "
) -> str:
    """``a, b and 3 more``.

    Args:
        values: those to name, the first ones at least.
        most: how many are named.
        count: how many there are; None: as many as values.
        separator: what stands between them.
    """
    texts = [str(value) for value in values]
    more = (len(texts) if count is None else count) - len(texts[:most])
    shown = separator.join(texts[:most])
    return f"{shown}{separator.rstrip().rstrip(',')} and {more:,} more" if more > 0 else shown


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


class MissingExtraError(InputError, ImportError):
    """A library that only one of this package's extras installs is not there."""


# An extra of pyproject.toml to the libraries that it brings, as programs import them.
EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "pulumi": ("pulumi", "pulumi_kubernetes"),
    "cluster": ("kubernetes",),
    "arrow": ("pyarrow",),
}


def require_extra(extra: str) -> None:
    """Say which extra to install, before an import of what it brings fails.

    Args:
        extra: one of :data:`EXTRAS`.

    Raises:
        MissingExtraError: one of its libraries is not installed.
    """
    for library in EXTRAS[extra]:
        try:
            found = find_spec(library)
        except (ImportError, ValueError):  # somebody keeps it from being imported
            found = None
        if found is None:
            raise MissingExtraError(
                f"{library} is not installed; expected it: pip install 'fsm-stack[{extra}]'"
            )
