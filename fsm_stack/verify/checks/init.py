"""The second step of the guides: the init container has ended, or why it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.causes import cause, telling_line
from fsm_stack.verify.check import Check, NotApplicable, found
from fsm_stack.verify.commands import command
from fsm_stack.verify.each import (
    init_container,
    logs_of,
    of_every_pod,
    place,
    ran_to_its_end,
    require_sidecar,
)
from fsm_stack.verify.programs.program import then
from fsm_stack.verify.restarting.mend import restart_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.objects import Container, Pod, State
    from fsm_stack.verify.check import Context

# The kubelet waits longer and longer between two tries; source: kubelet, MaxContainerBackOff.
# Source: kubernetes pkg/kubelet/kuberuntime, a container that the kernel ended for its memory.
OOM: Final = "OOMKilled"
_LOOPING: Final = "CrashLoopBackOff"
# Of a container that the kubelet has not tried to start: the sandbox is made, or another init
# container has not ended yet. Source: kubelet, PodInitializing and ContainerCreating.
_NOT_TRIED: Final = frozenset({"", "PodInitializing", "ContainerCreating"})


def loaded(init: Container) -> bool:
    """Whether a container that loads the rules has loaded them."""
    return init.state.name == "terminated" and init.state.exit_code == 0


def makes_init(context: Context) -> bool:
    """Whether the injector gives a pod an init container now; unknown settings: it does."""
    expected = context.expected
    return expected.settings is None or context.system.intercepts(expected.mesh.interception_mode)


def without_init(context: Context) -> str:
    """Why the injector gives no pod an init container."""
    mode = context.expected.mesh.interception_mode
    return f"traffic.interceptionMode is {mode!r}: no init container is made"


def overdue(pod: Pod, context: Context) -> str:
    """Why a pod's init container is one too many; empty: it is not.

    A MeshConfig without the field is one of before the field: what its injector made then counts.
    """
    declared = bool(context.expected.mesh.interception_mode)
    init = init_container(pod, context)
    if init is None or not declared or makes_init(context):
        return ""
    return f"{without_init(context)} now, and the pod has one"


def initialised(pod: Pod, context: Context) -> Iterator[Finding]:
    """The init container has loaded the rules: it terminated with exit code 0.

    The pod decides whether it has one; the setting says it only where it has none.
    """
    require_sidecar(pod, context)
    init = init_container(pod, context)
    if pod.over and not (init and _ended_the_pod(pod, init)):
        raise ran_to_its_end(pod)
    if init is None:
        yield _absent(pod, context)
    elif not loaded(init):
        yield _blocked(pod, init) or _failing(pod, init, context)


def _ended_the_pod(pod: Pod, init: Container) -> bool:
    """A pod that is never restarted ends where its init container fails; an evicted one before."""
    return pod.phase == "Failed" and not pod.reason and bool(init.state.exit_code)


def _absent(pod: Pod, context: Context) -> Finding:
    if not makes_init(context):
        raise NotApplicable(without_init(context))
    return found(
        "pod-init",
        f"init container {context.system.init_container} is absent: no rule redirects the pod's "
        "traffic",
        place=place(pod),
        fix=restart_of(pod, context),
    )


def _blocked(pod: Pod, init: Container) -> Finding | None:
    """The init container waits for another one, which the pod's author put before it."""
    if init.state.name != "waiting" or init.state.reason not in _NOT_TRIED:
        return None
    for one in pod.containers:
        if one is init:
            return None
        if one.init and not (one.ready or loaded(one)) and tells(one.state):
            break
    else:
        return None
    return found(
        "pod-init",
        f"init container {init.name} waits for init container {one.name}, which stands before it: "
        f"{one.name} is {state_text(one)}",
        place=place(pod),
        fix=logs_of(pod, one.name),
    )


def tells(state: State) -> bool:
    """Whether the kubelet has tried to start a container in this state."""
    return state.name in {"running", "terminated"} or (
        state.name == "waiting" and state.reason not in _NOT_TRIED
    )


def state_text(one: Container) -> str:
    """``waiting, CrashLoopBackOff; last ended with exit code 137, OOMKilled, 7 restarts``."""
    state, last = one.state, one.last
    parts = [state.name if state.name != "unknown" else "it has no status", state.reason]
    if state.exit_code is not None:
        parts.append(f"exit code {state.exit_code}")
    now = ", ".join(part for part in parts if part)
    if state.name == "terminated" or last.exit_code is None:
        return now
    times = counted(one.restarts, "restart") if one.restarts else ""
    ended = [f"exit code {last.exit_code}", last.reason, times]
    return f"{now}; last ended with {', '.join(part for part in ended if part)}"


def _failing(pod: Pod, init: Container, context: Context) -> Finding:
    log = context.snapshot.logs.get(pod.key, "")
    failed = init.state if init.state.name == "terminated" else init.last
    # Of a container that waits for its next try the state tells how long, and not why.
    now = "" if init.state.reason == _LOOPING else init.state.message
    known = cause(now, init.last.message, log)
    evidence = telling_line(log or init.last.message or now, known)
    unread = context.snapshot.not_read.get(Part.LOGS, "")
    if not evidence and failed.exit_code:
        evidence = f"its log was {unread or 'not read'}"
    because = f": {known.means}" if known else ""
    return found(
        "pod-init",
        failure(init) + because,
        place=place(pod),
        evidence=evidence or None,
        # Who has read the log is not sent to read it.
        fix=known.fix
        if known
        else then("Mend what its log says", restart_of(pod, context))
        if log
        else look_at(pod, init),
        severity=Severity.WARNING if init.state.name == "running" else None,
    )


def failure(init: Container) -> str:
    """What an init container does that has not loaded its rules."""
    state, what = init.state, f"init container {init.name}"
    match state.name:
        case "terminated":
            return f"{what} failed with exit code {state.exit_code}"
        case "waiting" if state.reason == _LOOPING:
            return (
                f"{what} fails again and again, {init.restarts} times so far, last with exit code "
                f"{init.last.exit_code}"
            )
        case "waiting":
            return f"{what} is waiting: {state.reason or 'no reason given'}"
        case "running":
            return f"{what} is still running"
        case _:
            return f"{what} has no status: no node has started the pod"


def look_at(pod: Pod, one: Container) -> str:
    """Where the reason stands: a container that was never started has no log."""
    first = next((item for item in pod.containers if item.init and not item.native
                  and not (item.ready or loaded(item))), None)  # fmt: skip
    if not one.init and first is not None and one.state.reason in _NOT_TRIED:
        return f"None of its own: it starts once init container {first.name} has ended."
    never = one.state.name == "waiting" and one.last.name == "unknown"
    if never or one.state.name == "unknown":
        return command("kubectl", "describe", "pod", pod.name, "-n", pod.namespace)
    return logs_of(pod, one.name)


CHECKS: Final = (
    Check(
        id="pod-init",
        title="the init container terminated with exit code 0",
        needs=(Part.PODS,),
        run=of_every_pod(initialised, ended=True),
        group="pod",
    ),
)
