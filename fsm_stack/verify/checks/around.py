"""What stands around a pod: what events and pasted texts say, jobs, init containers of others.

Source: hazards H27 and H28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.objects import owner_of
from fsm_stack.snapshot.programs import PROGRAMS
from fsm_stack.snapshot.shape import mapping, mappings, text
from fsm_stack.snapshot.snapshot import FILES, OWNER_KINDS, Part
from fsm_stack.verify.causes import Cause, cause, causes, pod_refusal
from fsm_stack.verify.check import Check, NotApplicable, found
from fsm_stack.verify.checks.init import loaded, state_text, tells
from fsm_stack.verify.commands import command
from fsm_stack.verify.drift import refusal_of
from fsm_stack.verify.each import logs_of, place
from fsm_stack.verify.programs.program import then
from fsm_stack.well_known import SIDECAR_UID
from fsm_stack.workloads.lint.around import ends_with_its_work, past_the_sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.drift import Key
    from fsm_stack.yaml import Json

_REFUSED: Final = "FailedCreate"
_UNNAMED: Final = "NAMESPACE"  # what kubectl get events prints has no namespace
# Who makes pods of a template that is tried again at once after a restart.


def told(context: Context) -> Iterator[Finding]:
    """What was pasted tells of no failure: logs, errors of the API server, events."""
    for name, words in context.snapshot.texts:
        for one in causes(words):
            yield found("told-cause", one.means, place=name, evidence=one.line, fix=one.fix)
    said = list(_events(context))
    yield from _of_events(said, context)
    if not said and not context.snapshot.texts:
        raise NotApplicable("no event or log was pasted")


def _events(context: Context) -> Iterator[tuple[Key, Json]]:
    """The events in files that no other check tells of, and what owners were told."""
    if context.snapshot.source.context != FILES:
        return
    for event in context.snapshot.events:
        about = mapping(event.get("involvedObject"))
        kind, namespace, name = (text(about.get(field)) for field in ("kind", "namespace", "name"))
        if not _told_elsewhere((kind, namespace, name), context):
            yield (kind, namespace, name), event
    for key, item in context.snapshot.owners.items():
        said = refusal_of(mappings(mapping(item.get("status")).get("conditions")))
        if " " in said and not _told_elsewhere(key, context):  # else it is the reason alone
            yield key, {"reason": _REFUSED, "message": said}


def _told_elsewhere(key: Key, context: Context) -> bool:
    snapshot = context.snapshot
    kind, _, name = key
    if Part.CONTROL_PLANE in snapshot.read and name.startswith(tuple(PROGRAMS)):
        return True
    needs = {Part.PODS, Part.NAMESPACES, Part.OWNERS}
    return kind != "Pod" and needs <= snapshot.read and _maker(key, context) in snapshot.owners


def _maker(key: Key, context: Context) -> Key:
    """Who makes an object's pods in the end: of a ReplicaSet that was read, its Deployment."""
    item = context.snapshot.owners.get(key) or {}
    known = owner_of(mapping(item.get("metadata")))
    return (known.kind, key[1], known.name) if known else key


def _of_events(said: list[tuple[Key, Json]], context: Context) -> Iterator[Finding]:
    """Each cause once, with the first object of which it was said."""
    by_cause: dict[str, dict[Key, tuple[str, Cause]]] = {}
    for key, event in said:
        message = text(event.get("message"))
        if (known := _cause_of(event, key)) is not None:
            by_cause.setdefault(known.means, {}).setdefault(key, (message, known))
    for (key, (message, known)), *others in map(list, map(dict.items, by_cause.values())):
        more = f", and of {counted(len(others), 'more object')}" if others else ""
        yield found(
            "told-cause",
            f"{known.means}{more}",
            place=_place(key),
            evidence=message,
            fix=_mended(known, key, context),
        )


def _place(key: Key) -> str:
    kind, namespace, name = key
    return f"{'pod' if kind == 'Pod' else kind} {'/'.join(filter(None, (namespace, name)))}"


def _cause_of(event: Json, key: Key) -> Cause | None:
    kind, namespace, _ = key
    message = text(event.get("message"))
    if event.get("reason") == _REFUSED and kind != "Pod":
        return pod_refusal(message, namespace or _UNNAMED, of_mesh=True)
    return cause(message)


def _mended(known: Cause, key: Key, context: Context) -> str:
    if known.line:  # of a log: a whole sentence
        return known.fix
    first = known.fix or "Mend what the API server names"
    kind, namespace, name = _maker(key, context)
    if kind not in OWNER_KINDS or not namespace:
        return f"{first}."
    # Its controller tries again ever more rarely; a new template is tried at once.
    what = f"{kind.lower()}/{name}"
    return then(first, command("kubectl", "rollout", "restart", what, "-n", namespace))


def kept_by_sidecar(pod: Pod, context: Context) -> Finding | None:
    """H28: the application of a pod that is to end has ended, and the sidecar runs on."""
    sidecar = pod.container(context.system.sidecar_container)
    application = [one for one in pod.counted() if _of_application(one, context)]
    restarted = pod.owner is not None and pod.owner.kind in {*OWNER_KINDS, "ReplicaSet"}
    if sidecar is None or sidecar.native or sidecar.state.name != "running" or restarted:
        return None
    if not application or any(one.state.name != "terminated" for one in application):
        return None
    failed = next((one for one in application if one.state.exit_code), None)
    owner = f"{pod.owner.kind} {pod.owner.name}" if pod.owner else "it"
    first = ends_with_its_work(context.system)
    if failed is not None:
        return found(
            "never-completes",
            f"container {failed.name} ended with exit code {failed.state.exit_code}, and the "
            f"sidecar keeps the pod: {owner} does not see that it failed",
            place=place(pod),
            evidence=_shown(application),
            fix=then(first, logs_of(pod, failed.name)),
            severity=Severity.ERROR,
        )
    return found(
        "never-completes",
        f"the application ended with exit code 0, and the sidecar keeps the pod: {owner} never "
        "completes",
        place=place(pod),
        evidence=_shown(application),
        fix=f"{first}.",
        severity=Severity.ERROR,
    )


def _of_application(one: Container, context: Context) -> bool:
    system = context.system
    return not one.init and one.name not in {
        system.sidecar_container,
        system.healthcheck_container,
    }


def _shown(application: list[Container]) -> str:
    return "; ".join(f"container {one.name}: {state_text(one)}" for one in application)


def held_behind(pod: Pod, context: Context) -> Finding | None:
    """H27: an init container behind the mesh's, which waits for what the sidecar should carry."""
    system, after = context.system, False
    for one in pod.containers:
        if not one.init or one.native:
            continue
        if one.name == system.init_container:
            after = loaded(one)
        elif after and not (one.ready or loaded(one)) and tells(one.state):
            return _redirected(pod, one, context)
    return None


def _redirected(pod: Pod, one: Container, context: Context) -> Finding | None:
    user = one.user if one.user is not None else pod.user
    if user == SIDECAR_UID:
        return None
    system = context.system
    number = [item.name for item in pod.containers if item.init].index(one.name) + 1
    return found(
        "init-redirected",
        f"init container {one.name}, number {number}, runs after {system.init_container}: what "
        "it sends is redirected to a sidecar that does not run yet; no container of the pod "
        "starts before it has ended",
        place=place(pod),
        evidence=f"{one.name}: {state_text(one)}",
        fix=f"Let it run first, or {past_the_sidecar(system)}",
        severity=Severity.ERROR,
    )


CHECKS: Final = (
    Check(
        id="told-cause",
        title="no event and no log tells of a failure",
        run=told,
        group="texts",
    ),
)
