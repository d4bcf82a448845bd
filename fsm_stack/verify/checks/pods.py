"""The first steps of the guides: the pod is injected and ready, its init container has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Severity
from fsm_stack.injection.decision import decide, webhook_skips
from fsm_stack.verify.causes import cause, telling_line
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.each import (
    init_container,
    is_injected,
    of_every_pod,
    place,
    require_sidecar,
    restart,
)
from fsm_stack.verify.checks.namespaces import view
from fsm_stack.verify.harmless import command
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.injection.decision import Decision
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.objects import Container, Pod

# The kubelet waits longer and longer between two tries; source: kubelet, MaxContainerBackOff.
_LOOPING: Final = "CrashLoopBackOff"


def decision_of(pod: Pod, context: Context) -> Decision:
    """What the injector decides about such a pod now.

    Raises:
        NotRun: its namespace was not read.
    """
    namespace = context.snapshot.namespaces.get(pod.namespace)
    if namespace is None:
        raise NotRun(f"namespace {pod.namespace} was not read")
    known, mesh = view(namespace), context.expected.mesh
    return webhook_skips(known, mesh) or decide(
        pod.annotations, host_network=pod.host_network, namespace=known, mesh=mesh
    )


def injected(pod: Pod, context: Context) -> Iterator[Finding]:
    """The pod has a sidecar where the injector would give it one."""
    decision = decision_of(pod, context)
    has = is_injected(pod, context)
    if decision.inject and not has:
        yield found(
            "pod-injected",
            f"it has no sidecar, though {decision.why}: it was made before that, or past the "
            "webhook",
            place=place(pod),
            evidence="; ".join(decision.steps),
            fix=restart(pod),
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
        )
    elif not has and context.named:
        yield found(
            "pod-injected",
            f"its traffic is not redirected: {decision.why}",
            place=place(pod),
            evidence="; ".join(decision.steps),
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
            fix=restart(pod),
        )
        return
    for one in counted:
        if not one.ready:
            whose = "the sidecar" if one is sidecar else f"container {one.name}"
            yield found(
                "pod-ready",
                f"{whose} is not ready: {_state(one)}",
                place=place(pod),
                evidence=shown,
                fix=_logs(pod, one.name),
            )


def initialised(pod: Pod, context: Context) -> Iterator[Finding]:
    """The init container has loaded the rules: it terminated with exit code 0."""
    name = context.system.init_container
    require_sidecar(pod, context)
    init = init_container(pod, context)
    if init is None:
        yield found(
            "pod-init",
            f"init container {name} is absent: no rule redirects the pod's traffic",
            place=place(pod),
            fix=restart(pod),
        )
        return
    if init.state.name == "terminated" and init.state.exit_code == 0:
        return
    log = context.snapshot.logs.get(pod.key, "")
    known = cause(init.state.message, init.last.message, log)
    failed = init.state if init.state.name == "terminated" else init.last
    fix = known.fix if known else _logs(pod, name)
    because = f": {known.means}" if known else ""
    unread = context.snapshot.not_read.get(Part.LOGS, "")
    printed = log or init.state.message or init.last.message
    evidence = telling_line(printed, known)
    if not evidence and unread and failed.exit_code:
        evidence = f"its log was {unread}"
    match init.state.name:
        case "terminated":
            what = f"init container {name} failed with exit code {init.state.exit_code}"
        case "waiting" if init.state.reason == _LOOPING:
            what = (
                f"init container {name} fails again and again, {init.restarts} times so far, last "
                f"with exit code {failed.exit_code}"
            )
        case "waiting":
            what = f"init container {name} is waiting: {init.state.reason or 'no reason given'}"
        case "running":
            what = f"init container {name} is still running"
        case _:
            what = f"init container {name} has no status: no node has started the pod"
    yield found(
        "pod-init",
        what + because,
        place=place(pod),
        evidence=evidence or None,
        fix=fix,
        severity=Severity.WARNING if init.state.name == "running" else None,
    )


def _initialised(context: Context) -> Iterator[Finding]:
    mesh = context.expected.mesh
    if context.expected.settings is not None and not context.system.intercepts(
        mesh.interception_mode
    ):
        raise NotApplicable(
            f"traffic.interceptionMode is {mesh.interception_mode!r}: no init container is made"
        )
    yield from of_every_pod(initialised)(context)


def _state(one: Container) -> str:
    state = one.state
    parts = [state.name if state.name != "unknown" else "it has no status", state.reason]
    if state.exit_code is not None:
        parts.append(f"exit code {state.exit_code}")
    return ", ".join(part for part in parts if part)


def _logs(pod: Pod, name: str) -> str:
    return command("kubectl", "logs", pod.name, "-c", name, "-n", pod.namespace)


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
    Check(
        id="pod-init",
        title="the init container terminated with exit code 0",
        needs=(Part.PODS,),
        run=_initialised,
        group="pod",
    ),
)
