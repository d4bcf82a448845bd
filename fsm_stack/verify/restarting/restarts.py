"""Which owners have to make their pods anew, in batches: printed, never carried out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity, harmless
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import NotApplicable, NotRun, run_checks
from fsm_stack.verify.checks import admission, webhooks
from fsm_stack.verify.checks.init import makes_init, overdue
from fsm_stack.verify.checks.pods import images_first, meant_for, old_images
from fsm_stack.verify.checks.rules import certain, compared, of_today, require_told, script_of
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.each import init_container, is_injected
from fsm_stack.verify.programs.program import THEN
from fsm_stack.verify.restarting.mend import (
    before_restart,
    mend_first,
    mend_mesh,
    on_delete,
    restart_of,
    stopped,
)
from fsm_stack.verify.restarting.next_pod import in_vain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """One owner.

    Attributes:
        namespace: of its pods.
        owner: ``Deployment web``, or ``Pod x`` for a pod of its own.
        pods: names of those that are stale.
        why: what is wrong with the first of them.
        command: what makes them anew.
        wait: the command that waits until they are; empty where there is none.
    """

    namespace: str
    owner: str
    pods: tuple[str, ...]
    why: str
    command: str
    wait: str

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return {
            "namespace": harmless(self.namespace),
            "owner": harmless(self.owner),
            "pods": [harmless(name) for name in self.pods],
            "why": harmless(self.why),
            "command": self.command,
            "wait": self.wait or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One owner whose restart is not advised: its next pods would not start, or not redirect.

    Attributes:
        namespace: of its pods.
        owner: ``Deployment web``, or ``Pod x`` for a pod of its own.
        pods: names of those that are stale.
        why: what a restart would end in.
        first: what has to be mended before.
    """

    namespace: str
    owner: str
    pods: tuple[str, ...]
    why: str
    first: str

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return {
            "namespace": harmless(self.namespace),
            "owner": harmless(self.owner),
            "pods": [harmless(name) for name in self.pods],
            "why": harmless(self.why),
            "first": harmless(self.first, limit=1000),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartList:
    """Who has to restart, and of which pods nothing is known.

    Attributes:
        owners: with at least one stale pod each.
        refused: likewise, and a restart of theirs cannot work.
        stopped: why no pod at all may be restarted, and what to mend; empty: nothing does.
        later: what has to be done before a restart would help, and for how many pods.
        broken: what keeps new pods from the injector: a restart would lose pods, or their sidecar.
        unknown: reasons for which a pod could not be compared, each once.
    """

    owners: tuple[Restart, ...]
    refused: tuple[Refused, ...] = ()
    stopped: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def restarts(context: Context) -> RestartList:
    """Every owner with a pod that has no sidecar, or other rules or images than it would get."""
    groups: dict[tuple[str, str], list[tuple[Pod, str]]] = {}
    vain: dict[tuple[str, str], list[tuple[Pod, str]]] = {}
    unknown: dict[str, None] = {}
    later: Counter[str] = Counter()
    for pod in context.pods:
        if pod.over or pod.deleted:
            continue
        try:
            why = _reason(pod, context)
            old = "" if why else _old_images(pod, context)
        except NotRun as reason:
            unknown[str(reason)] = None
            continue
        first = before_restart(pod, script_of(pod, context), context) if why or old else ""
        if why and not is_injected(pod, context):
            first = meant_for(pod, context)[1] or first
        if old:
            why, first = old, first or images_first(context)
        if not why:
            continue
        owner = f"{pod.owner.kind} {pod.owner.name}" if pod.owner else f"Pod {pod.name}"
        if end := in_vain(pod, context):
            vain.setdefault((pod.namespace, owner), []).append((pod, end))
        elif first:
            later[first] += 1
        else:
            groups.setdefault((pod.namespace, owner), []).append((pod, why))
    place = context.snapshot.source.kubectl_context
    owners = tuple(
        Restart(
            namespace=namespace,
            owner=owner,
            pods=tuple(pod.name for pod, _ in stale),
            why=stale[0][1],
            command=_command(stale, context),
            wait="" if on_delete(stale[0][0], context) else _wait(stale[0][0], place),
        )
        for (namespace, owner), stale in sorted(groups.items())
    )
    refused = tuple(
        Refused(
            namespace=namespace,
            owner=owner,
            pods=tuple(pod.name for pod, _ in stale),
            why=stale[0][1],
            first=mend_first(stale[0][0], context),
        )
        for (namespace, owner), stale in sorted(vain.items())
    )
    broken = _broken(context) if owners else ()
    if broken:
        refused += tuple(_lost(one, broken[0]) for one in owners)
    return RestartList(
        owners=() if broken else owners,
        refused=refused,
        stopped=_stopped(context),
        later=tuple(f"{first}: {_waits(number)} for that" for first, number in later.items()),
        broken=tuple(item.message for item in broken),
        unknown=tuple(unknown),
    )


def _lost(one: Restart, broken: Finding) -> Refused:
    """An owner whose restart would lose its pods, or their sidecar."""
    return Refused(
        namespace=one.namespace,
        owner=one.owner,
        pods=one.pods,
        why=f"{one.why}; and new pods are lost: {broken.message}",
        first=broken.fix.partition(" ; ")[0],
    )


def _stopped(context: Context) -> tuple[str, ...]:
    reasons = [message for message, _ in stopped(context)]
    if not reasons:
        return ()
    more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return (f"{reasons[0]}{more}", mend_mesh(context))


def _broken(context: Context) -> tuple[Finding, ...]:
    """Why pods that are made now would be refused, or get no sidecar."""
    checks = (*webhooks.CHECKS, *admission.CHECKS)
    return tuple(
        item
        for outcome in run_checks(context, checks)
        for item in outcome.findings
        if item.severity is Severity.ERROR and not item.place.path.startswith("Validating")
    )


def _command(stale: list[tuple[Pod, str]], context: Context) -> str:
    names = tuple(pod.name for pod, _ in stale)
    place = context.snapshot.source.kubectl_context
    return restart_of(stale[0][0], context, place=place, names=names)


def _reason(pod: Pod, context: Context) -> str:
    if not is_injected(pod, context):
        if pod.namespace in context.snapshot.namespaces:
            return "it has no sidecar" if meant_for(pod, context)[0].inject else ""
        if unread := context.snapshot.unread(Part.NAMESPACES):
            raise NotRun(f"whether a pod without a sidecar should have one is unknown: {unread}")
        return ""
    if why := overdue(pod, context) or _lacks_init(pod, context):
        return why
    try:
        items = compared(pod, context)
        found = [item.message for item in certain(pod, items)]
        if not found:
            require_told(pod, items)
        return "; ".join(found) or next((item.message for item in of_today(pod, context)), "")
    except NotApplicable:
        return ""


def _old_images(pod: Pod, context: Context) -> str:
    if not is_injected(pod, context):
        return ""
    try:
        return "; ".join(old_images(pod, context))
    except NotApplicable:
        return ""


def _lacks_init(pod: Pod, context: Context) -> str:
    """A pod with a sidecar and without rules is healed by nothing else."""
    name = context.system.init_container
    known = context.expected.settings is not None and not pod.elided
    if known and init_container(pod, context) is None and makes_init(context):
        return f"it has no init container {name}"
    return ""


def _waits(number: int) -> str:
    return f"{counted(number, 'pod')} {'waits' if number == 1 else 'wait'}"


def _wait(pod: Pod, context: str) -> str:
    owner = pod.owner
    if owner is None or owner.kind not in {"Deployment", "StatefulSet", "DaemonSet"}:
        return ""
    what = f"{owner.kind.lower()}/{owner.name}"
    return kubectl(
        "rollout", "status", what, "-n", pod.namespace, "--timeout=10m", context=context
    )


def _first(steps: str) -> Iterator[str]:
    """What has to be mended, a step a line."""
    for number, step in enumerate(steps.split(THEN)):
        yield f"# {'then' if number else 'first'}: {harmless(step, limit=1000)}"


def _refused(refused: tuple[Refused, ...], said: tuple[str, ...]) -> Iterator[str]:
    """Owners that are left out, below what has to be mended first for them."""
    by_first: dict[str, list[Refused]] = {}
    for one in refused:
        by_first.setdefault(one.first, []).append(one)
    for first, owners in by_first.items():
        yield f"# not to be restarted: {counted(len(owners), 'owner')}"
        for one in owners:
            yield f"#   {harmless(one.owner)} -n {harmless(one.namespace)}: {harmless(one.why)}"
        if first not in said:
            yield from _first(first)


def lines(context: Context, listed: RestartList, *, batch: int) -> Iterator[str]:
    """The commands as a shell script, a batch at a time, each waited for."""
    source, owners = context.snapshot.source, listed.owners
    yield f"# context {harmless(source.context)}, server {harmless(source.server) or 'none asked'}"
    yield f"# stack {harmless(context.expected.title)} ({context.system.name})"
    if listed.stopped:
        why, first = listed.stopped
        yield f"# {harmless(why)}"
        yield from _first(first)
    for first in listed.later:
        yield f"# first: {harmless(first)}, a restart alone does not give the declared rules"
    for reason in listed.broken:
        yield f"# first: mend the injection, or restarted pods are lost: {harmless(reason)}"
    for reason in listed.unknown:
        yield f"# not compared: {harmless(reason)}"
    for part, reason in context.snapshot.not_read.items():
        yield f"# {part.value} {harmless(reason)}"
    yield from _refused(listed.refused, listed.stopped)
    pods = sum(len(one.pods) for one in owners)
    have = "have" if pods != 1 else "has"
    differ = f"{have} other rules or images than the injector would give now"
    what = "can be restarted now" if listed.refused or listed.stopped else differ
    yield f"# {counted(pods, 'pod')} of {counted(len(owners), 'owner')} {what}"
    for start in range(0, len(owners), batch):
        group = owners[start : start + batch]
        yield ""
        yield f"# batch {start // batch + 1}: {counted(len(group), 'owner')}"
        for one in group:
            yield f"# {harmless(one.owner)} -n {harmless(one.namespace)}: {harmless(one.why)}"
            yield harmless(one.command, limit=1000) or "# its name is no name of Kubernetes'"
        yield from (harmless(one.wait, limit=1000) for one in group if one.wait)
