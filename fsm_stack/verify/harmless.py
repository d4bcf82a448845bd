"""What an operator is told of a cluster's objects: anyone who can make a pod writes some of it."""

from __future__ import annotations

import shlex

from fsm_stack.harmless import SHOWN_MAX, harmless

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
