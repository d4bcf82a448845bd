"""The rules of an init container, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.iptables.intercept import intercept
from fsm_stack.iptables.rule_text import step_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injection.lists import Interception


def script_lines(found: Interception) -> Iterator[str]:
    """Each rule of the script as it is spelt, and why it is there."""
    steps = intercept(found.lists, found.system).steps
    width = min(72, max(len(step_line(step)) for step in steps))
    for step in steps:
        yield f"{step_line(step):{width}}  # {step.rule.why.text}"
