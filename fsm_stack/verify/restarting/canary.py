"""A canary in a cluster: what its pods do, how it is promoted, and how it is given up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import counted
from fsm_stack.injector.annotations import interception
from fsm_stack.injector.profile import Refusal
from fsm_stack.manifests.canary import unpatch
from fsm_stack.verify.canary import before_of, other_fate, template_of, without
from fsm_stack.verify.check import found, run_checks
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.each import is_injected, place, reading_of
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.restarting.mend import restart_of
from fsm_stack.verify.restarting.next_pod import next_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.canary import Canary
    from fsm_stack.verify.check import Context

# The checks of pods; what is said of the mesh is no matter of the canary's.
_GROUPS: Final = frozenset({"pod", "rules", "workload"})
# Each API server drops a policy that is gone within a second of hearing of it.
# Source: k8s.io/apiserver pkg/admission/plugin/policy/generic/policy_source.go, Run.
_GONE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a canary's pods do.

    Attributes:
        canary: which.
        pods: those that were made with the entries.
        waiting: those that have the rules of before.
        findings: what ``verify`` says of its pods, and what it lacks.
        restarts: the commands that make the waiting ones anew.
        unread: what could not be looked at.
    """

    canary: Canary
    pods: tuple[Pod, ...]
    waiting: tuple[Pod, ...]
    findings: tuple[Finding, ...]
    restarts: tuple[str, ...]
    unread: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        yield from told(self.canary)
        ready = sum(all(one.ready for one in pod.counted()) for pod in self.pods)
        again = sum(one.restarts for pod in self.pods for one in pod.containers)
        yield (
            f"{counted(len(self.pods), 'pod')} {_have(self.pods)} the new entries: {ready} ready, "
            f"{counted(again, 'restart')}"
        )
        if self.waiting:
            yield f"{counted(len(self.waiting), 'pod')} {_have(self.waiting)} the old rules still:"
            yield from (f"  {one}" for one in self.restarts)

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return {
            **plain(self.canary),
            "pods": [
                {
                    "name": pod.name,
                    "ready": all(one.ready for one in pod.counted()),
                    "restarts": sum(one.restarts for one in pod.containers),
                }
                for pod in self.pods
            ],
            "waiting": [pod.name for pod in self.waiting],
            "restart": list(self.restarts),
            "findings": [item.as_json() for item in self.findings],
            "notRead": list(self.unread),
        }


def _have(pods: tuple[Pod, ...]) -> str:
    return "has" if len(pods) == 1 else "have"


def told(canary: Canary) -> Iterator[str]:
    """What a canary tries, and what it has made."""
    yield f"canary of namespace {canary.namespace}, by {canary.by}"
    yield from (f"  adds {key} {entries}" for key, entries in canary.adds.items())
    yield from (f"  made {name}" for name in canary.made)


def plain(canary: Canary) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "namespace": canary.namespace,
        "by": canary.by,
        "adds": dict(canary.adds),
        "made": [name.as_json() for name in canary.made],
    }


def state(context: Context, canary: Canary) -> State:
    """What a canary's pods do now.

    Args:
        context: what was read of its namespace.
        canary: of that context.
    """
    inside = [
        pod
        for pod in context.pods
        if pod.namespace == canary.namespace
        and is_injected(pod, context)
        and not (pod.over or pod.deleted)
    ]
    pods = tuple(pod for pod in inside if canary.tries(pod))
    waiting = tuple(pod for pod in inside if not canary.tries(pod))
    checks = [check for check in CHECKS if check.group in _GROUPS]
    outcomes = run_checks(replace(context, pods=pods), checks) if pods else ()
    mine = {pod.key for pod in pods}
    findings = [
        item
        for outcome in outcomes
        for item in outcome.findings
        if not item.place.path.startswith("pod ") or item.place.path.split()[1] in mine
    ]
    if not canary.whole:
        findings.append(_half(canary))
    for pod in pods:
        if again := sum(one.restarts for one in pod.containers):
            message = f"its containers were restarted {counted(again, 'time')}"
            findings.append(found("canary-restarts", message, place=place(pod)))
    return State(
        canary=canary,
        pods=pods,
        waiting=waiting,
        findings=tuple(findings),
        restarts=_commands(waiting, context),
        unread=tuple(
            f"{outcome.check.id}: {outcome.why}" for outcome in outcomes if not outcome.complete
        ),
    )


def _half(canary: Canary) -> Finding:
    there = ", ".join(map(str, canary.made))
    return found(
        "canary-pods",
        f"the canary of namespace {canary.namespace} is not whole: only {there} is there, and new "
        "pods get nothing of it",
        place=f"namespace {canary.namespace}",
    )


def _commands(pods: Iterable[Pod], context: Context) -> tuple[str, ...]:
    source = context.snapshot.source.kubectl_context
    commands = (restart_of(pod, context, place=source) for pod in pods)
    return tuple(dict.fromkeys(one for one in commands if one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a canary ends, as commands in their order.

    Attributes:
        canary: which.
        first: what has to be so before; empty: nothing.
        commands: what removes everything that it made.
        wait: the command between those and the restarts; empty: they may follow at once.
        restarts: the commands that make pods anew which would keep other rules.
        later: what is without effect, and goes with the next change of its owner.
        unchanged: how many of its pods keep their rules, and are not restarted.
        findings: what is in the way.
    """

    canary: Canary
    first: str = ""
    commands: tuple[str, ...] = ()
    wait: str = ""
    restarts: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    unchanged: int = 0
    findings: tuple[Finding, ...] = field(default=())

    def lines(self) -> Iterator[str]:
        """A shell script; what is for people stands in comments."""
        yield from (f"# {line}" for line in told(self.canary))
        if self.first:
            yield f"# first: {self.first}"
        if self.commands:
            yield "# remove what the canary made"
            yield from self.commands
        if self.unchanged:
            yield (
                f"# {counted(self.unchanged, 'pod')} of the canary "
                f"{'keeps its' if self.unchanged == 1 else 'keep their'} rules: no restart, since "
                "the next pods' rules give every connection the same fate"
            )
        if self.wait:
            yield "# API servers ask a policy that is gone for a moment more"
            yield self.wait
        if self.restarts:
            yield "# restart what would keep other rules than its next pods"
            yield from self.restarts
        if self.later:
            yield "# without effect now; taking it out restarts pods: with their next change"
            yield from (f"# {one}" for one in self.later)

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return {
            **plain(self.canary),
            "first": self.first or None,
            "commands": list(self.commands),
            "wait": self.wait or None,
            "restart": list(self.restarts),
            "later": list(self.later),
            "unchanged": self.unchanged,
            "findings": [item.as_json() for item in self.findings],
        }


def promotion(context: Context, canary: Canary) -> Ending:
    """The change for the whole mesh: the stack first, then the canary's objects, no restart.

    In the other order pods that are made between the two would lack the entries.
    """
    declared = context.expected.mesh
    live = context.live_mesh
    pending = live is None or live.lists != declared.lists
    now = state(context, canary)
    findings = list(now.findings)
    kept = 0
    for pod in now.pods:
        if why := _needs_restart(pod, context, declared, canary):
            message = f"after promotion it would need a restart: {why}"
            findings.append(found("canary-differs", message, place=place(pod)))
        else:
            kept += 1
    of_policy = canary.by == "policy"
    return Ending(
        canary=canary,
        first=context.mesh_config_first.rstrip(".") if pending else "",
        commands=_removals(context, canary) if of_policy else (),
        restarts=_commands(
            [pod for pod in now.waiting if _needs_restart(pod, context, declared, canary)], context
        ),
        later=() if of_policy else _removals(context, canary),
        unchanged=kept,
        findings=tuple(findings),
    )


def abortion(context: Context, canary: Canary) -> Ending:
    """The mesh as it was: the canary's objects go, and pods that differ are made anew."""
    now = state(context, canary)
    stale = [pod for pod in now.pods if _needs_restart(pod, context, next_mesh(context), canary)]
    templates = canary.by == "templates"
    # A changed template makes its pods anew by itself.
    restarts = () if templates else _commands(stale, context)
    return Ending(
        canary=canary,
        commands=_removals(context, canary),
        wait=f"sleep {_GONE_SECONDS}" if restarts else "",
        restarts=restarts,
        unchanged=0 if templates else len(now.pods) - len(stale),
    )


def _needs_restart(pod: Pod, context: Context, mesh: MeshView, canary: Canary) -> str:
    """Why a pod has other rules than its owner's next pod without a canary; empty: it has not."""
    owner = pod.owner
    known = owner and context.snapshot.owners.get((owner.kind, pod.namespace, owner.name))
    notes = template_of(known) if known else without(pod.annotations, canary.adds)
    init = pod.container(context.system.init_container)
    if init is None or init.script is None:
        return "it has no script"
    if isinstance(reading := reading_of(init.script), str):
        return reading
    try:
        made = interception(notes, mesh)
    except Refusal as refusal:
        return f"the injector refuses its next pod: {refusal.message}"
    return other_fate(init.script, made.script)


def _removals(context: Context, canary: Canary) -> tuple[str, ...]:
    source = context.snapshot.source.kubectl_context
    if canary.by == "policy":
        return tuple(
            kubectl("delete", one.kind.lower(), one.name, "--ignore-not-found", context=source)
            for one in canary.made
        )
    found_here = []
    for kind, namespace, name in canary.made:
        owner = context.snapshot.owners[kind, namespace, name]
        change = json.dumps(unpatch(before_of(owner)), separators=(",", ":"))
        found_here.append(
            kubectl("patch", kind.lower(), name, "-n", namespace, "--type=merge", "-p", change,
                    context=source)
        )  # fmt: skip
    return tuple(found_here)
