"""Annotations on live pods that their owner's template lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.injection.annotations import pod_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injection.workload import Workload
    from fsm_stack.systems import System

Owner = tuple[str, str, str]
# Who makes the owner of a pod, and names it after itself, with a dash and a suffix.
_MAKERS: Final = {"ReplicaSet": "Deployment", "Job": "CronJob"}


def owner_of(item: Workload) -> Owner | None:
    """Namespace, kind and name of what controls a pod; None for a pod that nothing controls."""
    owners = (item.manifest.get("metadata") or {}).get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller") is True:
            return item.namespace, str(owner.get("kind")), str(owner.get("name"))
    return None


def template_keys(item: Workload) -> tuple[Owner, frozenset[str]]:
    """A workload as an owner, and the annotations of its template."""
    metadata = item.pod().get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    keys = annotations if isinstance(annotations, dict) else {}
    return (item.namespace, item.kind, item.name), frozenset(map(str, keys))


def lost(
    item: Workload, templates: Mapping[Owner, frozenset[str]], system: System
) -> Iterator[Finding]:
    """H21: what a restart takes from a pod.

    Args:
        item: a workload; only a Pod with a controller can lose anything.
        templates: owners whose templates are known, and their annotations.
        system: whose annotations.
    """
    if item.template or not isinstance(item.manifest.get("metadata"), dict):
        return
    owner = owner_of(item)
    annotations = item.manifest["metadata"].get("annotations")
    if owner is None or not isinstance(annotations, dict):
        return
    if owner not in templates:
        place, kind, name = owner
        maker = (place, _MAKERS.get(kind, ""), name.rpartition("-")[0])
        owner = maker if maker in templates else owner
    known = templates.get(owner)
    for key in annotations:
        if key in pod_keys(system) and (known is None or key not in known):
            _, kind, name = owner
            doubt = "; its template is not in the input" if known is None else ""
            yield finding(
                "annotation-lost",
                f"annotation {key} is on a pod of {kind} {name}{doubt}: a restart makes the pod "
                "anew, from the template",
                path=f"metadata.annotations.{key}",
                value=key,
                severity=Severity.INFO if known is None else None,
            )
