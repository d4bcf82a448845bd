"""What an operator is told to run, harmless to paste, and the conflict that an apply will meet.

Server-side apply refuses to change a field that another manager owns, unless it is forced.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from fsm_stack.findings.finding import SHOWN_MAX, harmless
from fsm_stack.manifests.foreign import FORCE_MESH_CONFIG, FORCED_UP, OWN_MANAGERS, UP
from fsm_stack.verify.drift import managers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.verify.check import Context

__all__ = ["SHOWN_MAX", "command", "harmless"]


def command(*words: str) -> str:
    """A command to paste into a shell; empty where a word is not printable ASCII.

    Names of Kubernetes objects are; others come from a file that somebody made up.
    """
    if not all(word.isascii() and word.isprintable() for word in words):
        return ""
    return shlex.join(words)


def kubectl(*words: str, context: str = "") -> str:
    """A command of kubectl, of the cluster that was read where it has a context's name."""
    where = ("--context", context) if context else ()
    return command("kubectl", *words, *where)


def counted(number: int, noun: str) -> str:
    """``1 pod``, ``2 pods``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


Json = dict[str, Any]


def apply(context: Context, item: Mapping[str, Any] | None = None, *paths: str) -> str:
    """What brings the cluster to what is declared; where nothing is, who installed it does.

    Args:
        context: what was read.
        item: the live object that differs; None: it is not there, or several are.
        paths: the fields that differ.
    """
    expected = context.expected
    if not expected.declared:
        return "Install it again, as it was installed: nothing is declared outside the cluster"
    others = foreign_managers(context, item, *paths)
    if item is None or not others:
        return expected.apply
    conflict = f"a plain one ends in a conflict with {others}"
    if expected.origin == "files":
        return f"{expected.applied('--force-conflicts')}: {conflict}"
    if item.get("kind") == "MeshConfig":
        return f"Run `{UP}` for the stack with {FORCE_MESH_CONFIG}: true: {conflict}"
    return f"Run `{FORCED_UP}` for the stack: {conflict}"


def foreign_managers(context: Context, item: Mapping[str, Any] | None, *paths: str) -> str:
    """Who else owns one of these fields; empty: nobody."""
    names = dict.fromkeys(
        one.name
        for path in paths
        for one in managers(item or {}, path)
        if not _own(one.name, one.operation, files=context.expected.origin == "files")
    )
    return ", ".join(names)


def _own(name: str, operation: str, *, files: bool) -> bool:
    """Whether a manager is who applies what is declared: of files nobody knows under what name."""
    return operation == "Apply" if files else name.startswith(OWN_MANAGERS)
