"""The first step of the guides: the pod is injected, and ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Severity
from fsm_stack.injection.decision import Decision, decide, never_injected, webhook_skips
from fsm_stack.verify.check import Check, NotRun, found
from fsm_stack.verify.checks.each import (
    is_injected,
    of_every_pod,
    place,
    require_sidecar,
)
from fsm_stack.verify.checks.init import look_at, state_text
from fsm_stack.verify.checks.remedy import restart_of
from fsm_stack.verify.programs.repair import then
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.injection.namespace import NamespaceView
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.objects import Pod


def decision_of(pod: Pod, context: Context) -> Decision:
    """What the injector decides about such a pod now.

    Raises:
        NotRun: its namespace was not read.
    """
    return _decided(pod, namespace_of(pod, context), context)


def namespace_of(pod: Pod, context: Context) -> NamespaceView:
    """The pod's namespace as it is now.

    Raises:
        NotRun: it was not read.
    """
    if (known := context.namespaces.get(pod.namespace)) is None:
        raise NotRun(f"namespace {pod.namespace} was not read")
    return known


def meant_for(pod: Pod, context: Context) -> tuple[Decision, str]:
    """What the injector decides of a pod once its namespace is as declared, and what makes it so.

    Returns:
        The decision, and the commands for the namespace; none where it is as declared.

    Raises:
        NotRun: its namespace was not read.
    """
    wanted, first = context.declared_namespaces.get(pod.namespace, (None, ""))
    return _decided(pod, wanted or namespace_of(pod, context), context), first


def _decided(pod: Pod, known: NamespaceView, context: Context) -> Decision:
    mesh = context.expected.mesh
    if why := never_injected(known.name, mesh.namespace):
        return Decision(outcome="leave", why=why)
    return webhook_skips(known, mesh) or decide(
        pod.annotations, host_network=pod.host_network, namespace=known, mesh=mesh
    )


def remedy_of(decision: Decision) -> str:
    """What brings a pod into the mesh that the injector leaves alone."""
    if decision.why.endswith("never injected"):
        return "None: run the application in another namespace, if it is meant to be in the mesh."
    if decision.why.startswith("hostNetwork"):
        return (
            "None, if that is meant: a pod in the node's network cannot be in the mesh. Else "
            "remove hostNetwork from its template."
        )
    return "None, if that is meant. Else let the namespace and the pod's template ask for it."


def injected(pod: Pod, context: Context) -> Iterator[Finding]:
    """The pod has a sidecar where the injector would give it one."""
    decision = decision_of(pod, context)
    has = is_injected(pod, context)
    meant, first = meant_for(pod, context)
    if first and meant.inject and not decision.inject:
        lost = "it has a sidecar and loses it at its next restart" if has else "it has no sidecar"
        yield found(
            "pod-injected",
            f"{lost}: {decision.why or decision.message}; it is declared otherwise",
            place=place(pod),
            fix=first if has else then(first, restart_of(pod, context)),
            severity=Severity.WARNING if has else None,
        )
    elif decision.inject and not has:
        yield found(
            "pod-injected",
            f"it has no sidecar, though {decision.why}: it was made before that, or past the "
            "webhook",
            place=place(pod),
            evidence="; ".join(decision.steps),
            fix=restart_of(pod, context),
        )
    elif decision.outcome == "refuse":
        yield found(
            "pod-injected",
            f"the injector refuses such a pod now: {decision.message}",
            place=place(pod),
            evidence=decision.why,
            fix=f"Correct {decision.path}.",
        )
    elif not decision.inject and has:
        yield found(
            "pod-injected",
            f"it has a sidecar and loses it at its next restart: {decision.why}",
            place=place(pod),
            severity=Severity.WARNING,
            fix=remedy_of(decision),
        )
    elif not has and context.named:
        yield found(
            "pod-injected",
            f"its traffic is not redirected: {decision.why}",
            place=place(pod),
            evidence="; ".join(decision.steps),
            fix=remedy_of(decision),
        )


def ready(pod: Pod, context: Context) -> Iterator[Finding]:
    """The sidecar is ready, and so is every container that kubectl counts in READY."""
    require_sidecar(pod, context)
    system, counted = context.system, pod.counted()
    ready_count = sum(one.ready for one in counted)
    shown = f"READY {ready_count}/{len(counted)}, status {pod.phase or 'unknown'}"
    sidecar = pod.container(system.sidecar_container)
    if sidecar is None:
        yield found(
            "pod-ready",
            f"it has no container {system.sidecar_container}",
            place=place(pod),
            evidence=shown,
            fix=restart_of(pod, context),
        )
        return
    for one in counted:
        if not one.ready:
            whose = "the sidecar" if one is sidecar else f"container {one.name}"
            yield found(
                "pod-ready",
                f"{whose} is not ready: {state_text(one)}",
                place=place(pod),
                evidence=shown,
                fix=look_at(pod, one),
            )


CHECKS: Final = (
    Check(
        id="pod-injected",
        title="the pod has a sidecar",
        needs=(Part.PODS, Part.NAMESPACES),
        run=of_every_pod(injected, whole=True),
        group="pod",
    ),
    Check(
        id="pod-ready",
        title="the sidecar and every counted container are ready",
        needs=(Part.PODS,),
        run=of_every_pod(ready, whole=True),
        group="pod",
    ),
)
