"""Why a program of the control plane is not available: the first cause that explains it.

The order is Kubernetes' own: a Deployment, its pods made, given a node, started, and answering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.shape import text
from fsm_stack.verify.causes import pod_refusal
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.programs.containers import container_trouble
from fsm_stack.verify.programs.program import Trouble, program, restart, scale, then

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.programs.program import Program


def trouble(one: Program, context: Context) -> Trouble | None:
    """What keeps a program from running; None: nothing does."""
    for cause in CAUSES:
        if (found := cause(one, context)) is not None:
            return found
    return None


def absent(one: Program, context: Context) -> Trouble | None:
    """There is no Deployment."""
    if one.item is not None:
        return None
    return Trouble(
        id="program-absent",
        why=f"{one.name} is not there",
        fix=f"{apply(context)}.",
    )


def without_nodes(one: Program, _context: Context) -> Trouble | None:
    """It should run on nodes, and on none: Kubernetes counts those that it may run on."""
    if one.wanted or not one.of_nodes:
        return None
    if not one.seen:
        return Trouble(
            id="cluster-control-plane", why=f"{one.name}: no pod of it was made", fix=_unmade(one)
        )
    return Trouble(
        id="program-unschedulable",
        why=f"{one.name}: no node is one that it may run on",
        fix="Add a node of Linux on amd64 or arm64, or correct its node selector, affinity and "
        "tolerations in what is declared.",
    )


def scaled_to_zero(one: Program, context: Context) -> Trouble | None:
    """Somebody asks for no pods."""
    if one.wanted:
        return None
    return Trouble(
        id="program-scaled-to-zero",
        why=f"{one.name} is scaled to 0 pods",
        fix=scale(context, one.name),
    )


def refused(one: Program, context: Context) -> Trouble | None:
    """The API server refuses its pods: a quota, pod security, a missing account."""
    message = one.refusal
    if not message or one.runs:
        return None
    # What redirects on the nodes is privileged, as what loads rules in a pod has to be.
    known = pod_refusal(message, one.namespace, of_mesh=one.of_nodes)
    first = known.fix or apply(context)
    # A ReplicaSet that was refused tries again ever more rarely; a new one tries at once.
    again = restart(one.target, one.namespace)
    return Trouble(
        id="program-refused",
        why=f"{_available(one)}: {known.means}",
        evidence=message,
        fix=then(first if known.known else "Mend what the API server names", again),
    )


def paused(one: Program, _context: Context) -> Trouble | None:
    """Somebody stopped its rollout, so that no new pod is made."""
    if not one.paused or one.updated >= one.wanted:
        return None
    return Trouble(
        id="program-rollout",
        why=f"{_available(one)}: its rollout was paused, and no pod gets the newest template",
        fix=command("kubectl", "rollout", "resume", f"deployment/{one.name}", "-n",
                    one.namespace),
    )  # fmt: skip


def of_pods(one: Program, context: Context) -> Trouble | None:
    """What keeps a pod of it from being ready: of the newest template first."""
    for pod in one.pods:
        if (found := _of_pod(pod, one, context)) is not None:
            late = f"; {one.timed_out}" if one.timed_out else ""
            old = ": pods of the rollout before serve" if one.runs else ""
            return Trouble(
                id=found.id,
                why=f"{_available(one)}{old}: {found.why}",
                evidence=f"{found.evidence}{late}".removeprefix("; "),
                fix=found.fix,
            )
    return None


def _of_pod(pod: Pod, one: Program, context: Context) -> Trouble | None:
    if pod.phase in {"Failed", "Succeeded"}:
        return None  # a Deployment makes another one
    if pod.unscheduled or not pod.scheduled:
        return _unscheduled(pod, one)
    for item in pod.waiting:
        if (found := container_trouble(item, pod, one, context)) is not None:
            return found
    return None


def _unscheduled(pod: Pod, one: Program) -> Trouble:
    message = pod.unscheduled or one.said(pod, "FailedScheduling")
    short = next((what for what in ("cpu", "memory") if f"Insufficient {what}" in message), "")
    if not message:
        why, fix = "no scheduler has given its pod a node", "Let kube-scheduler run."
    elif short:
        why = f"no node has enough {short} left for its pod"
        fix = f"Add a node, free {short} on one, or lower the {short} request of {one.name}."
    elif "taint" in message:
        why = "its pod does not tolerate the nodes' taints"
        fix = f"Declare the toleration for {one.name}, or remove the taint from a node."
    elif "affinity" in message or "selector" in message:
        why = "no node is one that its affinity asks for"
        fix = "Add a node of Linux on amd64 or arm64, or correct its affinity."
    else:
        why = "no node takes its pod"
        fix = command("kubectl", "describe", "pod", pod.name, "-n", pod.namespace)
    return Trouble(id="program-unschedulable", why=why, evidence=message, fix=fix)


def stuck(one: Program, _context: Context) -> Trouble | None:
    """A rollout that does not end, or pods that are missing: nothing tells more."""
    if one.runs and not one.timed_out:
        return None
    if one.timed_out:
        return Trouble(
            id="program-rollout",
            why=f"{_available(one)}: its rollout does not end",
            evidence=one.timed_out,
            fix=command("kubectl", "rollout", "undo", f"deployment/{one.name}", "-n",
                        one.namespace),
        )  # fmt: skip
    said = next((text(event.get("message")) for event in one.events), "")
    if one.unread:
        evidence = one.unread
    elif not one.pods:
        evidence = said or "no pod of it was made"
    else:
        evidence = said
    return Trouble(
        id="cluster-control-plane",
        why=_available(one),
        evidence=evidence,
        fix=command("kubectl", "describe", one.kind.lower(), one.name, "-n", one.namespace)
        if one.unread or one.pods
        else _unmade(one),
    )


def _unmade(one: Program) -> str:
    return (
        "Let kube-controller-manager run, which makes the pods; then look again: "
        f"{command('kubectl', 'get', 'pods', '-n', one.namespace)}"
    )


def _available(one: Program) -> str:
    return f"{one.name}: {one.available} of {one.wanted} pods are available"


CAUSES: Final[tuple[Callable[[Program, Context], Trouble | None], ...]] = (
    absent,
    without_nodes,
    scaled_to_zero,
    refused,
    paused,
    of_pods,
    stuck,
)


def program_trouble(context: Context, name: str) -> Trouble | None:
    """What keeps a program of this name from running; None: nothing does."""
    return trouble(program(context, name), context)
