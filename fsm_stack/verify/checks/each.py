"""A check of one pod, made for every pod that was asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.verify.check import NotApplicable, NotRun
from fsm_stack.verify.harmless import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.objects import Container, Pod


def place(pod: Pod) -> str:
    """How reports name a pod."""
    return f"pod {pod.key}"


def restart(pod: Pod) -> str:
    """The command that makes a pod anew; for a pod of its own there is none but to delete it."""
    owner = pod.owner
    if owner is not None and owner.kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        kind = owner.kind.lower()
        return command(
            "kubectl", "rollout", "restart", f"{kind}/{owner.name}", "-n", pod.namespace
        )
    deleted = command("kubectl", "delete", "pod", pod.name, "-n", pod.namespace)
    if owner is not None:
        return f"{deleted} ; its {owner.kind} {owner.name} makes it anew"
    return f"{deleted} ; no owner makes it anew: apply its manifest again"


def of_every_pod(
    check: Callable[[Pod, Context], Iterator[Finding]], *, whole: bool = False
) -> Callable[[Context], Iterator[Finding]]:
    """The check for all pods.

    Args:
        check: of one pod.
        whole: it needs the whole pod, not a description that leaves parts out.
    """

    def run(context: Context) -> Iterator[Finding]:
        if not context.pods:
            raise NotApplicable("there is no pod to look at")
        if whole and (partial := [pod.key for pod in context.pods if pod.elided]):
            raise NotRun(f"the description of {partial[0]} leaves parts out")
        for pod in context.pods:
            if not pod.over and not pod.deleted:
                yield from check(pod, context)

    return run


def init_container(pod: Pod, context: Context) -> Container | None:
    """The container that loads the rules; its name is part of the system's profile."""
    return pod.container(context.system.init_container)


def is_injected(pod: Pod, context: Context) -> bool:
    """Whether a pod has a container of the mesh's."""
    system = context.system
    return any(
        container.name == system.init_container
        or (container.name == system.sidecar_container and bool(container.image))
        for container in pod.containers
    )
