"""What the application's own manifest does: reserved ports and users, annotations in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.injector.annotations import pod_keys
from fsm_stack.snapshot.allow_pod import PREFIXES
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotRun, found
from fsm_stack.verify.checks.each import (
    of_every_pod,
    place,
    require_annotations,
    require_sidecar,
)
from fsm_stack.well_known import REPO_PORT, RESERVED_PORTS, SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context


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
        elif template is not None and template.get(key) != value:
            yield found(
                "annotation-lost",
                f"annotation {key} is on the pod and not in its owner's template: the restart "
                "that would make it count removes it",
                place=place(pod),
                evidence=value,
            )
        elif template is None and unread and pod.owner is not None:
            raise NotRun(f"whether {pod.key}'s annotations last is unknown: {unread}")


def template_annotations(pod: Pod, context: Context) -> dict[str, str] | None:
    """The annotations of the owner's pod template; None: it was not read, or there is none."""
    if pod.owner is None:
        return None
    owner = context.snapshot.owners.get((pod.owner.kind, pod.namespace, pod.owner.name))
    if owner is None:
        return None
    template = (owner.get("spec") or {}).get("template") or {}
    return mapping((template.get("metadata") or {}).get("annotations"))


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
)
