"""Errors that a user can act on: each says what, where and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding


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
