"""Whether there is a control plane at all: where there is none, one finding says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.verify.check import NotRun
from fsm_stack.verify.programs.names import programs_of
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from fsm_stack.verify.check import Context


def absent(context: Context) -> bool:
    """Whether no program of the control plane is there; False where that was not read."""
    place, snapshot = context.expected.mesh.namespace, context.snapshot
    return Part.CONTROL_PLANE in snapshot.read and all(
        (place, name) not in snapshot.programs for name in programs_of(context.system)
    )


def require_installed(context: Context) -> None:
    """Leave what is missing with the control plane to the check that says so.

    Raises:
        NotRun: nothing is installed.
    """
    if absent(context):
        raise NotRun("the control plane is not installed")
