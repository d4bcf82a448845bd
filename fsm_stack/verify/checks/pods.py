"""The first step of the guides: the pod is injected, with today's images, and ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.injector.decision import Decision, decide, never_injected, webhook_skips
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.causes import cause
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.around import held_behind, kept_by_sidecar
from fsm_stack.verify.checks.init import OOM, look_at, state_text
from fsm_stack.verify.commands import apply
from fsm_stack.verify.each import (
    is_injected,
    of_every_pod,
    place,
    require_annotations,
    require_sidecar,
)
from fsm_stack.verify.programs.program import then
from fsm_stack.verify.redirecting import images_of, release
from fsm_stack.verify.restarting.mend import restart_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context


def old_images(pod: Pod, context: Context) -> list[str]:
    """What of a pod is another release than the injector gives it now.

    The same release from another registry is none: a mirror changes it on every pod.

    Raises:
        NotRun: nothing tells what the injector gives.
    """
    declared, _ = context.injecting
    namespace = context.namespaces.get(pod.namespace)
    wanted = images_of(pod, declared, namespace)
    if not wanted:
        if unread := context.snapshot.unread(Part.CONTROL_PLANE):
            raise NotRun(f"which images the injector gives a pod is unknown: {unread}")
        raise NotApplicable("nothing tells which images the injector gives a pod")
    different = []
    for one in pod.containers:
        right = wanted.get(one.name)
        if right and one.image and release(one.image) not in set(map(release, right)):
            different.append(f"{one.name} has {one.image}, not {min(right)}")
    if different:
        require_annotations(pod)
    return different


def images_first(context: Context) -> str:
    """What has to be done before a restart gives pods the declared images; empty: nothing."""
    declared, live = context.injecting
    if live is None or not context.expected.declared:
        return ""
    fields = ("sidecar_image", "init_image", "healthcheck_image")
    if all(getattr(declared, name) == getattr(live, name) for name in fields):
        return ""
    mesh = context.expected.mesh
    item = context.snapshot.programs.get((mesh.namespace, context.system.injector_name))
    mesh_config = context.snapshot.mesh_config(context.system, mesh.namespace)
    plain = context.expected.apply
    paths = "spec.template.spec.containers.env"
    field = f"spec.sidecar.{declared.profile.image_field}"
    of_program, of_mesh = apply(context, item, paths), apply(context, mesh_config, field)
    return of_program if of_program != plain else of_mesh


def current(pod: Pod, context: Context) -> Iterator[Finding]:
    """The mesh's containers of a pod are of the release that is injected now."""
    require_sidecar(pod, context)
    for difference in old_images(pod, context):
        yield found(
            "pod-images",
            f"{difference}: it was made before that counted",
            place=place(pod),
            evidence=f"made {pod.created}" if pod.created else None,
            fix=then(images_first(context), restart_of(pod, context)),
        )


IMAGE_CHECKS: Final = (
    Check(
        id="pod-images",
        title="the sidecar and the init container are of the release that is injected now",
        needs=(Part.PODS,),
        run=of_every_pod(current),
        group="pod",
    ),
)


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
    if (kept := kept_by_sidecar(pod, context) or held_behind(pod, context)) is not None:
        yield kept
        return
    for one in counted:
        if not one.ready:
            whose = "the sidecar" if one is sidecar else f"container {one.name}"
            known = cause(one.state.message, one.last.message)
            killed = OOM in {one.state.reason, one.last.reason}
            means = (
                known.means if known else "the kernel ended it for its memory" if killed else ""
            )
            yield found(
                "pod-ready",
                f"{whose} is not ready: {state_text(one)}{f': {means}' if means else ''}",
                place=place(pod),
                evidence=known.line if known else shown,
                fix=known.fix if known else _more_memory(pod, one, own=one is sidecar)
                if killed else look_at(pod, one),
            )  # fmt: skip


def _more_memory(pod: Pod, one: Container, *, own: bool) -> str:
    """What keeps a container from being killed for its memory."""
    if own:
        return "Raise sidecar.resources.limits.memory, and make the pod again."
    where = f" of {pod.owner.kind} {pod.owner.name}" if pod.owner else ""
    return f"Raise the memory limit of container {one.name} in the pod template{where}."


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
