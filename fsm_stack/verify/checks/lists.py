"""A pod's script as rules, and the lists that its annotations and the mesh come to."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fsm_stack.injection.lists import interception
from fsm_stack.injection.refusal import Refusal
from fsm_stack.iptables.read import RuleSyntaxError, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injection.mesh import MeshView
    from fsm_stack.iptables.read import Reading
    from fsm_stack.lists import InterceptLists

# An injector's script has 2 kB, and 4 kB with the most entries that iptables takes.
SCRIPT_MAX: Final = 64 * 1024


@lru_cache(maxsize=2048)
def reading_of(script: str) -> Reading | str:
    """A script as rules, or why it is none."""
    if len(script) > SCRIPT_MAX:
        return f"expected at most {SCRIPT_MAX} characters, got {len(script)}"
    try:
        return read(script)
    except RuleSyntaxError as error:
        return str(error)


def expected_lists(annotations: Mapping[str, str], mesh: MeshView) -> InterceptLists | Refusal:
    """The lists that the injector gives a pod with these annotations, or why it refuses it."""
    try:
        return interception(annotations, mesh).lists
    except Refusal as refusal:
        return refusal
