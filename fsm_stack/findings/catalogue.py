"""Every finding id with its meaning: the offline documentation behind ``fsm-stack explain``.

One module a topic holds a tuple ``RULES``. An id is in one module only; a test asserts that.
"""

from __future__ import annotations

from functools import cache

from fsm_stack.findings import (
    cluster,
    convert,
    programs,
    redirection,
    review,
    settings,
    workload,
)
from fsm_stack.findings.rule import Rule

__all__ = ["Rule", "all_rules", "rule"]

_TOPICS = (settings, redirection, convert, workload, cluster, programs, review)


@cache
def all_rules() -> dict[str, Rule]:
    """Every rule by id, in the catalogue's order."""
    return {known.id: known for topic in _TOPICS for known in topic.RULES}


def rule(rule_id: str) -> Rule:
    """The rule with this id.

    Raises:
        KeyError: when there is none.
    """
    return all_rules()[rule_id]
