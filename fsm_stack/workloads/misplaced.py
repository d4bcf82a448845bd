"""Mesh keys where nobody reads them, and their values where they belong."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector.annotations import pod_keys
from fsm_stack.workloads.lint.foreign import labels
from fsm_stack.workloads.lint.subject import annotation_path
from fsm_stack.workloads.objects import object_at
from fsm_stack.workloads.preview import preview
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.systems import System
    from fsm_stack.workloads.lint import ClusterRanges
    from fsm_stack.workloads.objects import Workload
    from fsm_stack.yaml.places import Path


def of_moved(
    item: Workload,
    known: Iterable[Finding],
    *,
    mesh: MeshView,
    namespace: NamespaceView,
    ranges: ClusterRanges | None,
) -> Iterator[Finding]:
    """What would be wrong with misplaced annotations' values in the pod template.

    Args:
        item: the workload.
        known: what is wrong with its pod as it is.
        mesh: whose injector.
        namespace: where the pod is created.
        ranges: the cluster's.

    Yields:
        Findings with the misplaced annotation's path in the object.
    """
    wrong = {key: path for path, key in misplaced_keys(item, mesh.system)}
    pod = item.pod()
    own = object_at(pod, ("metadata", "annotations"))
    moved = {
        key: object_at(item.manifest, path)[key] for key, path in wrong.items() if key not in own
    }
    if not moved or not isinstance(pod.get("metadata"), dict):
        return
    pod = {**pod, "metadata": {**pod["metadata"], "annotations": {**own, **moved}}}
    later = preview(pod, mesh=mesh, namespace=namespace, proxy_id="", ranges=ranges)
    said = {(one.id, one.message) for one in known}
    places = {annotation_path(key): path_text((*path, key)) for key, path in wrong.items()}
    for one in later.findings:
        if one.place.path in places and (one.id, one.message) not in said:
            yield one.at(path=places[one.place.path])


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


def template_values(item: Workload, system: System) -> tuple[Owner, Mapping[str, Any]]:
    """A workload as an owner, and the annotations of its template that an injector reads."""
    metadata = item.pod().get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    given = annotations if isinstance(annotations, dict) else {}
    read = pod_keys(system)
    known = {key: value for key, value in given.items() if key in read}
    return (item.namespace, item.kind, item.name), known


def lost(
    item: Workload, templates: Mapping[Owner, Mapping[str, Any]], system: System
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
    for key, value in annotations.items():
        if key in pod_keys(system) and (known is None or key not in known or known[key] != value):
            _, kind, name = owner
            if known is None:
                doubt = "; its template is not in the input"
            else:
                doubt = ", whose template has another value" if key in known else ""
            yield finding(
                "annotation-lost",
                f"annotation {key} is on a pod of {kind} {name}{doubt}: a restart makes the pod "
                "anew, from the template",
                path=f"metadata.annotations.{key}",
                value=key,
                severity=Severity.INFO if known is None else None,
            )


def misplaced_keys(item: Workload, system: System) -> tuple[tuple[Path, str], ...]:
    """Annotations of pods that stand elsewhere in the object: the metadata's path, and the key."""
    return _elsewhere(item, pod_keys(system))


def _elsewhere(item: Workload, read: Collection[str]) -> tuple[tuple[Path, str], ...]:
    """Those of some keys.

    What the pod template has too, with the same value, counts: Kustomize's commonAnnotations and
    many charts write everything everywhere.
    """
    if not item.template:
        return ()
    own = object_at(item.manifest, (*item.template, "metadata", "annotations"))
    return tuple(
        (path, key)
        for path, key, value in _annotated(item)
        if key in read and (key not in own or own[key] != value)
    )


def _annotated(item: Workload) -> Iterator[tuple[Path, str, Any]]:
    """Every annotation above the pod template: the metadata's path, key and value."""
    for place in _above(item):
        path = (*place, "metadata", "annotations")
        for key, value in object_at(item.manifest, path).items():
            if isinstance(key, str):
                yield path, key, value


def _above(item: Workload) -> tuple[Path, ...]:
    """The object itself, and what stands between it and the pod template, a job template say."""
    return tuple(item.template[:length] for length in range(len(item.template)))


def misplaced_of(item: Workload, read: Collection[str]) -> Iterator[Finding]:
    """The same of some annotations, another mesh's too."""
    if item.number:
        return
    place = path_text((*item.template, "metadata", "annotations"))
    for path, key in _elsewhere(item, read):
        yield finding(
            "annotation-misplaced",
            f"annotation {key} stands on the {item.kind}, where nobody reads it",
            path=path_text((*path, key)),
            value=key,
            fix=f"Move it to {place}.",
        )


def misplaced(item: Workload, system: System) -> Iterator[Finding]:
    """H14: each such annotation, with what to write instead."""
    if not item.template or item.number:  # an object of several templates is told of once
        return
    place = path_text((*item.template, "metadata", "annotations"))
    yield from misplaced_of(item, pod_keys(system))
    above = object_at(item.manifest, ("metadata",))
    yield from labels(above, system, read=pod_keys(system), to=place)
    read = sorted(pod_keys(system))
    for path, key, _ in _annotated(item):
        near = difflib.get_close_matches(key, read, n=1, cutoff=0.8)
        if near and key not in read and key.startswith(f"{system.annotation_prefix}/"):
            yield finding(
                "annotation-unknown",
                f"annotation {key}: no such annotation of {system.title}; did you mean {near[0]}?",
                path=path_text((*path, key)),
                value=key,
                fix=f"Write {near[0]}, in {place}.",
            )
