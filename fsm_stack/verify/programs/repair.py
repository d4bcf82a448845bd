"""What brings a program of the control plane back: each command does what it says.

``kubectl rollout restart`` of a Deployment with no pods makes none, and of one that is not there
fails: what advises a restart asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.verify.apply import apply
from fsm_stack.verify.harmless import command
from fsm_stack.verify.shape import mapping
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from fsm_stack.verify.check import Context

Json = dict[str, Any]
_ANY: Final = 1  # pods, where nothing declares how many


def then(first: str, second: str) -> str:
    """One thing after the other."""
    return f"{first}, then: {second}" if first and second else first or second


def start_again(context: Context, name: str) -> str:
    """What makes a program start anew, whatever it does now."""
    namespace = context.expected.mesh.namespace
    item = context.snapshot.programs.get((namespace, name))
    if item is None and Part.CONTROL_PLANE in context.snapshot.read:
        return apply(context)
    if item is not None and mapping(item.get("spec")).get("replicas") == 0:
        return scale(context, name)
    return restart(name, namespace)


def restart(name: str, namespace: str) -> str:
    """The command that replaces a Deployment's pods."""
    return command("kubectl", "rollout", "restart", f"deployment/{name}", "-n", namespace)


def scale(context: Context, name: str) -> str:
    """The command that gives a Deployment the pods that are declared."""
    namespace = context.expected.mesh.namespace
    declared = context.expected.objects.get(("Deployment", namespace, name)) or {}
    replicas = mapping(declared.get("spec")).get("replicas")
    wanted = replicas if isinstance(replicas, int) and replicas > 0 else _ANY
    return command(
        "kubectl", "scale", f"deployment/{name}", f"--replicas={wanted}", "-n", namespace
    )
