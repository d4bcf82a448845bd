"""Workloads: owners have their pods, manifests take nothing of the sidecar's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import keys_of, pod_keys
from fsm_stack.injector.decision import decide, webhook_skips
from fsm_stack.injector.profile import Refusal
from fsm_stack.snapshot.allow_pod import PREFIXES
from fsm_stack.snapshot.objects import owner_of
from fsm_stack.snapshot.shape import mapping, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.canary import canaries, lasts
from fsm_stack.verify.causes import pod_refusal
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.namespaces import subjects
from fsm_stack.verify.checks.webhooks import restart
from fsm_stack.verify.commands import command
from fsm_stack.verify.drift import Key, Shortfall, asked_about, shortfall
from fsm_stack.verify.each import (
    expected_lists,
    of_every_pod,
    place,
    require_annotations,
    require_sidecar,
)
from fsm_stack.verify.programs.program import then
from fsm_stack.well_known import CANARY_LABEL, REPO_PORT, RESERVED_PORTS, SIDECAR_UID
from fsm_stack.workloads.lint.foreign import labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import Decision
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.causes import Cause
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json


def owners_of_mesh(context: Context) -> Mapping[Key, Json]:
    """The owners that matter: of the asked pods, and those that have none.

    Raises:
        NotApplicable: none was read.
    """
    owners = {(pod.owner.kind, pod.namespace, pod.owner.name) for pod in context.pods if pod.owner}
    try:
        places = [] if context.named else subjects(context)
    except NotApplicable:
        places = []
    every = context.snapshot.owners
    known = {
        key: item
        for key, item in sorted(every.items())
        if (key in owners or key[1] in places or asked_about(key, context.asked))
        and not _made_by_one_of(every, key, item)
    }
    if not known:
        raise NotApplicable("no pod here has an owner that was read")
    return known


def _made_by_one_of(every: Mapping[Key, Json], key: Key, item: Json) -> bool:
    """Whether a ReplicaSet or a Job is of an owner that was read, and says it all."""
    maker = owner_of(mapping(item.get("metadata")))
    return maker is not None and (maker.kind, key[1], maker.name) in every


def complete(context: Context) -> Iterator[Finding]:
    """Every owner in the mesh has its pods, and could make new ones."""
    looked, unread = 0, ""
    for key, item in owners_of_mesh(context).items():
        template = (item.get("spec") or {}).get("template") or {}
        annotations = (template.get("metadata") or {}).get("annotations") or {}
        host_network = (template.get("spec") or {}).get("hostNetwork") is True
        decision = decided(context, key[1], annotations, host_network=host_network)
        if decision is None:
            unread = unread or f"namespace {key[1]} was not read"
        elif decision.outcome == "leave":
            continue
        else:
            looked += 1
            yield from _refused(context, key, annotations, decision)
            if (lack := shortfall(key[0], item)) is not None:
                yield _lacking(key, lack, context)
    if unread:
        raise NotRun(unread)
    if not looked:
        raise NotApplicable("no owner here makes pods of the mesh")


def decided(
    context: Context, namespace: str, annotations: Json, *, host_network: bool
) -> Decision | None:
    """What the injector decides of such a pod; None: its namespace was not read."""
    known, mesh = context.namespaces.get(namespace), context.expected.mesh
    if known is None:
        return None
    return webhook_skips(known, mesh) or decide(
        annotations, host_network=host_network, namespace=known, mesh=mesh
    )


def _refused(
    context: Context, key: Key, annotations: Json, decision: Decision
) -> Iterator[Finding]:
    """The injector refuses pods of this template; what is wrong with a namespace is said once."""
    lists = expected_lists(annotations, context.expected.mesh)
    message, path, value = decision.message, decision.path, None
    if decision.inject and isinstance(lists, Refusal):
        message, path, value = lists.message, lists.path, lists.value
    if message and path.startswith("metadata."):
        yield found(
            "owner-pods",
            f"the injector refuses its next pods: {message}",
            place=_place(key),
            evidence=value,
            fix=f"Correct spec.template.{path}.",
        )


def _lacking(key: Key, lack: Shortfall, context: Context) -> Finding:
    kind, namespace, name = key
    said = lack.refused or _said(key, context)
    # Pods of a rollout or an ordered start come one after the other: only none at all is certain.
    certain = said or not lack.exist
    known = pod_refusal(said, namespace, of_mesh=True) if said else None
    look = command(
        "kubectl", "get", "events", "-n", namespace, "--field-selector", "reason=FailedCreate"
    )
    unread = context.snapshot.not_read.get(Part.EVENTS, "")
    return found(
        "owner-pods",
        f"{lack}: {known.means}" if known else str(lack),
        place=_place(key),
        evidence=said or (f"{Part.EVENTS.value}: {unread}" if unread else None),
        # Its controller tries again ever more rarely; a new template is tried at once.
        fix=then(
            _first(known, key, context),
            command("kubectl", "rollout", "restart", f"{kind.lower()}/{name}", "-n", namespace),
        )
        if known and known.known
        else "Mend what the API server names."
        if said
        else f"Read why the {kind} cannot make them: {look}",
        severity=None if certain else Severity.WARNING,
    )


def _first(known: Cause, key: Key, context: Context) -> str:
    """What lets an owner make its pods: of the injector's own webhook, what lets it answer."""
    own = f"{context.system.default_mesh_name}-inject.k8s.io"
    if known.subject != own:
        return known.fix or f"Make what it names in namespace {key[1]}"
    if known.answers:
        return "Correct what the injector names in its pod template"
    if known.network:
        return known.fix
    why = context.trouble(context.system.injector_name)
    return why.fix if why else restart(context)


def _said(key: Key, context: Context) -> str:
    """What an event says of pods that an owner could not make; empty: nothing was read."""
    kind, namespace, name = key
    for event in context.snapshot.events:
        about = mapping(event.get("involvedObject"))
        if event.get("reason") != "FailedCreate" or about.get("namespace") != namespace:
            continue
        if (about.get("kind"), about.get("name")) == (kind, name):
            return text(event.get("message"))
    return ""


def _place(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}"


def misplaced(context: Context) -> Iterator[Finding]:
    """No redirection annotation stands on an owner, or among labels, where nobody reads it."""
    known = pod_keys(context.system)
    for (kind, namespace, name), item in owners_of_mesh(context).items():
        metadata, template = item.get("metadata") or {}, _metadata_of(item)
        there = template.get("annotations") or {}
        edit = command("kubectl", "edit", f"{kind.lower()}/{name}", "-n", namespace)
        for one in labels(template, context.system, read=known):
            fix = f"Move it to spec.template.metadata.annotations: {edit}"
            yield replace(one.at(path=f"{kind} {namespace}/{name}"), fix=fix)
        for key, value in (metadata.get("annotations") or {}).items():
            if key in known and there.get(key) != value:
                yield found(
                    "annotation-misplaced",
                    f"annotation {key} stands on the {kind}, not in its pod template: nobody "
                    "reads it",
                    place=f"{kind} {namespace}/{name}",
                    evidence=value,
                )


def reserved(pod: Pod, context: Context) -> Iterator[Finding]:
    """No container of the application takes a port or the user of the sidecar."""
    require_sidecar(pod, context)
    for one in _of_application(pod, context):
        for port in one.ports:
            purpose = RESERVED_PORTS.get(port)
            if port == REPO_PORT and context.system.sidecar_kind == "pipy":
                purpose = "the sidecar's repository and admin port"
            if purpose:
                yield found(
                    "reserved-port",
                    f"container {one.name} uses port {port}: {purpose}",
                    place=place(pod),
                    evidence=port,
                )
        user = one.user if one.user is not None else pod.user
        if user == SIDECAR_UID:
            yield found(
                "reserved-uid",
                f"container {one.name} runs as user {SIDECAR_UID}, the sidecar's: its traffic "
                "bypasses the sidecar",
                place=place(pod),
                evidence=user,
            )
    if pod.described:
        raise NotRun(f"pod {pod.key}: kubectl describe names no user: kubectl get -o json does")


def _of_application(pod: Pod, context: Context) -> Iterator[Container]:
    system = context.system
    names = {system.init_container, system.sidecar_container, system.healthcheck_container}
    return (one for one in pod.containers if one.name not in names)


def effective(pod: Pod, context: Context) -> Iterator[Finding]:
    """Every annotation of the mesh's on the pod is one that the injector reads, and will last."""
    require_annotations(pod)
    known = pod_keys(context.system)
    own = f"{context.system.annotation_prefix}/"
    template = template_annotations(pod, context)
    unread = context.snapshot.unread(Part.OWNERS)
    metadata = {"labels": pod.labels, "annotations": pod.annotations}
    of_template = _template_metadata(pod, context).get("labels") or {}
    for item in labels(metadata, context.system, read=known):
        if item.value not in of_template:  # else the check of owners says it
            yield replace(item.at(path=place(pod)), fix=_move(pod))
    for key, value in pod.annotations.items():
        if not key.startswith(PREFIXES):
            continue
        if key.startswith(own) and key not in known:
            yield found(
                "annotation-unknown",
                f"annotation {key} is read by nobody",
                place=place(pod),
                evidence=value,
            )
        elif not key.startswith(own):
            yield found(
                "annotation-other-mesh",
                f"annotation {key} is another mesh's: {context.system.title} reads {own}",
                place=place(pod),
                evidence=value,
            )
        elif template is not None and not _of_canary(pod, key, template, context):
            yield from _lost(pod, key, template)
        elif template is None and unread and pod.owner is not None:
            raise NotRun(f"whether {pod.key}'s annotations last is unknown: {unread}")


def _lost(pod: Pod, key: str, template: Mapping[str, str]) -> Iterator[Finding]:
    """An annotation that the next pod does not have, or has with another value."""
    value = pod.annotations[key]
    if key not in template:
        yield found(
            "annotation-lost",
            f"annotation {key} is on the pod and not in its owner's template: the restart that "
            "would make it count removes it",
            place=place(pod),
            evidence=value,
        )
    elif template[key] != value:
        yield found(
            "annotation-lost",
            f"annotation {key} has another value in its owner's template: the restart that would "
            "make this one count changes it",
            place=place(pod),
            evidence=f"{value}; of the template {template[key]}",
        )


def _of_canary(pod: Pod, key: str, template: Mapping[str, str], context: Context) -> bool:
    """Whether a canary, or the mesh since its promotion, gives the next pod the same."""
    if CANARY_LABEL not in pod.labels or key not in keys_of(context.system).lists:
        return False
    tried = {
        one: entries
        for canary in canaries(context.snapshot, context.system)
        if canary.namespace == pod.namespace and canary.whole
        for one, entries in canary.adds.items()
    }
    mesh = (context.live_mesh or context.expected.mesh).lists
    return lasts(pod, key, template, tried=tried, mesh=mesh)


def _move(pod: Pod) -> str:
    """What makes an annotation of a label, where the next pod gets it from."""
    if pod.owner is None:
        return "Move it to metadata.annotations of its manifest, and make the pod again."
    owner = f"{pod.owner.kind.lower()}/{pod.owner.name}"
    edit = command("kubectl", "edit", owner, "-n", pod.namespace)
    return f"Move it to spec.template.metadata.annotations: {edit}"


def template_annotations(pod: Pod, context: Context) -> dict[str, str] | None:
    """The annotations of the owner's pod template; None: it was not read, or there is none."""
    if pod.owner is None:
        return None
    if (pod.owner.kind, pod.namespace, pod.owner.name) not in context.snapshot.owners:
        return None
    return mapping(_template_metadata(pod, context).get("annotations"))


def _template_metadata(pod: Pod, context: Context) -> Json:
    owner = pod.owner
    key = (owner.kind, pod.namespace, owner.name) if owner else ("", "", "")
    return _metadata_of(context.snapshot.owners.get(key) or {})


def _metadata_of(item: Json) -> Json:
    """The metadata of an owner's pod template."""
    return mapping(mapping(mapping(item.get("spec")).get("template")).get("metadata"))


CHECKS: Final = (
    Check(
        id="pod-reserved",
        title="the application takes no port and no user of the sidecar's",
        needs=(Part.PODS,),
        run=of_every_pod(reserved, whole=True),
        group="workload",
    ),
    Check(
        id="pod-annotation-effect",
        title="every annotation of the mesh's has an effect, and lasts",
        needs=(Part.PODS,),
        run=of_every_pod(effective),
        group="workload",
    ),
    Check(
        id="owner-pods",
        title="every owner has its pods, and the injector takes new ones",
        needs=(Part.PODS, Part.NAMESPACES, Part.OWNERS),
        run=complete,
        group="workload",
    ),
    Check(
        id="owner-annotations",
        title="no annotation stands on an owner instead of its pod template, or among labels",
        needs=(Part.OWNERS,),
        run=misplaced,
        group="workload",
    ),
)
