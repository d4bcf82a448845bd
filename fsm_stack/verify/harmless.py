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
