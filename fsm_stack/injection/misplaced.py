"""Pod annotations on the object that owns the pods, where nobody reads them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from fsm_stack.findings import Finding, finding
from fsm_stack.injection.annotations import pod_keys
from fsm_stack.injection.workload import object_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injection.workload import Path, Workload
    from fsm_stack.systems import System


def misplaced_keys(item: Workload, system: System) -> tuple[tuple[Path, str], ...]:
    """Annotations of pods that stand elsewhere in the object: the metadata's path, and the key.

    What the pod template has too, with the same value, counts: Kustomize's commonAnnotations and
    many charts write everything everywhere.
    """
    if not item.template:
        return ()
    read = pod_keys(system)
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
    """The object itself, and a CronJob's job template."""
    return ((), ("spec", "jobTemplate")) if item.kind == "CronJob" else ((),)


def misplaced(item: Workload, system: System) -> Iterator[Finding]:
    """H14: each such annotation, with what to write instead."""
    if not item.template:
        return
    place = ".".join((*item.template, "metadata", "annotations"))
    for path, key in misplaced_keys(item, system):
        yield finding(
            "annotation-misplaced",
            f"annotation {key} stands on the {item.kind}, where nobody reads it",
            path=".".join(map(str, (*path, key))),
            value=key,
            fix=f"Move it to {place}.",
        )
    read = sorted(pod_keys(system))
    for path, key, _ in _annotated(item):
        near = difflib.get_close_matches(key, read, n=1, cutoff=0.8)
        if near and key not in read and key.startswith(f"{system.annotation_prefix}/"):
            yield finding(
                "annotation-unknown",
                f"annotation {key}: no such annotation of {system.title}; did you mean {near[0]}?",
                path=".".join(map(str, (*path, key))),
                value=key,
                fix=f"Write {near[0]}, in {place}.",
            )
