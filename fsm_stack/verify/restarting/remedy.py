"""What to do about a pod whose rules differ: a restart gives it what the injector reads then.

The injector reads the cluster's MeshConfig and the owner's pod template. Where one of them is not
what is meant, a restart alone is in vain, and is not advised.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.expect import differences
from fsm_stack.snapshot.shape import mapping
from fsm_stack.verify.checks.each import expected_lists, reading_of, restart
from fsm_stack.verify.checks.workloads import template_annotations
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.programs.program import then
from fsm_stack.verify.restarting.mend import mend_first
from fsm_stack.verify.restarting.next_pod import in_vain

if TYPE_CHECKING:
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context

TEMPLATE_FIRST: Final = "Put the annotation into the owner's pod template"


def before_restart(pod: Pod, script: str | None, context: Context) -> str:
    """What has to be done before a restart gives a pod the declared rules; empty: nothing.

    Args:
        pod: one whose rules differ from what is declared.
        script: its own.
        context: what was read.
    """
    declared = expected_lists(pod.annotations, context.expected.mesh)
    live = context.live_mesh
    if live is not None and (
        live.interception_mode != context.expected.mesh.interception_mode
        or expected_lists(pod.annotations, live) != declared
    ):
        return context.mesh_config_first
    template = template_annotations(pod, context)
    if template is None or script is None:
        return ""
    next_lists = expected_lists(template, context.expected.mesh)
    if next_lists == declared or isinstance(next_lists, Refusal):
        return ""
    return "" if _differs(script, next_lists) else TEMPLATE_FIRST


@lru_cache(maxsize=2048)
def _differs(script: str, lists: InterceptLists) -> bool:
    reading = reading_of(script)
    return isinstance(reading, str) or any(True for _ in differences(reading, lists))


def restart_of(pod: Pod, context: Context, *, place: str = "", names: tuple[str, ...] = ()) -> str:
    """The command that makes a pod anew, by what its owner does on a restart.

    Where the pod that it makes would not start, what has to be mended comes first.

    Args:
        pod: which.
        context: what was read of its owner.
        place: of the kubeconfig, for commands that are kept.
        names: more pods of the same owner.
    """
    again = _again(pod, context, place, names)
    if again and in_vain(pod, context):
        return then(mend_first(pod, context), again)
    return again


def _again(pod: Pod, context: Context, place: str, names: tuple[str, ...]) -> str:
    plain, owner = restart(pod, place), pod.owner
    if owner is None:
        return plain
    what = f"{owner.kind.lower()}/{owner.name}"
    if on_delete(pod, context):
        return kubectl(
            "delete", "pod", *(names or (pod.name,)), "-n", pod.namespace, context=place
        )
    if owner.kind == "Deployment" and _owner_spec(pod, context).get("paused") is True:
        resumed = kubectl("rollout", "resume", what, "-n", pod.namespace, context=place)
        return f"{resumed} && {plain}" if resumed and plain else ""
    return plain


def on_delete(pod: Pod, context: Context) -> bool:
    """Whether the owner makes pods anew only where somebody deletes them."""
    strategy = _owner_spec(pod, context).get("updateStrategy")
    return isinstance(strategy, dict) and strategy.get("type") == "OnDelete"


def _owner_spec(pod: Pod, context: Context) -> dict[str, Any]:
    owner = pod.owner
    key = (owner.kind, pod.namespace, owner.name) if owner else ("", "", "")
    return mapping((context.snapshot.owners.get(key) or {}).get("spec"))


def remedy(pod: Pod, script: str | None, context: Context) -> str:
    """What gives a pod the declared rules."""
    first = before_restart(pod, script, context)
    again = restart_of(pod, context)
    return again if again.startswith(first) else then(first, again)
