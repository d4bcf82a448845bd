"""Every finding id with its meaning: the offline documentation behind ``fsm-stack explain``.

One module a topic holds a tuple ``RULES``. An id is in one module only; a test asserts that.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from fsm_stack.findings import (
    Rule,
    cluster,
    convert,
    programs,
    redirection,
    review,
    settings,
    workload,
)

# What findings are about, for people, and their rules.
TOPICS: Final[dict[str, tuple[Rule, ...]]] = {
    "Stack files": settings.RULES,
    "Redirection lists and rules": redirection.RULES,
    "Conversions": convert.RULES,
    "Workloads": workload.RULES,
    "A running cluster": cluster.RULES,
    "Programs of the control plane": programs.RULES,
    "Changes and contracts": review.RULES,
}


@cache
def all_rules() -> dict[str, Rule]:
    """Every rule by id, in the catalogue's order."""
    return {known.id: known for rules in TOPICS.values() for known in rules}


def rule(rule_id: str) -> Rule:
    """The rule with this id.

    Raises:
        KeyError: when there is none.
    """
    return all_rules()[rule_id]
