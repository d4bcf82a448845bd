"""Checks of annotations: spelling, place, type, values of switches."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, finding
from fsm_stack.injector import annotations as keys
from fsm_stack.injector.annotations import keys_of, namespace_keys, pod_keys, yes_or_no
from fsm_stack.injector.go_values import stored_quantity
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import INJECTION, METRICS
from fsm_stack.workloads.lint.foreign import of_namespace
from fsm_stack.workloads.lint.subject import Subject, annotation_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.systems import System

# Keys of the same prefix that other programs of the mesh read or write on pods.
_OTHERS: Final = frozenset({"ignore", "monitored-by"})
_NEAR: Final = 0.8  # other programs' keys of the prefix are none of the injector's business
_PREFIXES: Final = frozenset(known.annotation_prefix for known in SYSTEMS.values())


def not_text(subject: Subject) -> Iterator[Finding]:
    """An annotation whose value YAML reads as a number, a yes or a list."""
    for key, value in subject.annotations.items():
        if type(value) is not str:
            yield _not_text(key, value)


def _not_text(key: str, value: object) -> Finding:
    scalar = value is None or isinstance(value, bool | int | float)
    shown = json.dumps(value) if scalar else type(value).__name__
    return finding(
        "annotation-not-text",
        f"annotation {key}: expected text, got {shown}",
        path=annotation_path(key),
        value=shown,
        fix=f'Write {key}: "{shown}".' if scalar else "",
    )


def unknown(subject: Subject) -> Iterator[Finding]:
    """H15: a key under the mesh's prefix that its injector does not read."""
    system = subject.mesh.system
    read = pod_keys(system)
    for key in subject.annotations:
        prefix, slash, name = key.partition("/")
        if not slash or name in _OTHERS or key in read:
            continue
        if prefix != system.annotation_prefix:
            yield from _foreign(subject, key, prefix, name)
        elif key in namespace_keys(system):
            yield finding(
                "annotation-not-read",
                f"annotation {key} is read from namespaces, not from pods",
                path=annotation_path(key),
                fix=f"Annotate the namespace {subject.namespace.name}.",
            )
        else:
            near = get_close_matches(key, sorted(read), n=1)
            yield _unknown(key, system, meant=near[0] if near else "")


def _foreign(subject: Subject, key: str, prefix: str, name: str) -> Iterator[Finding]:
    mesh = subject.mesh
    system, labels = mesh.system, subject.namespace.labels
    ours = system.annotation(name)
    if prefix in _PREFIXES:
        if not watched(labels, mesh):  # the other mesh's pod, maybe
            return
        if ours in subject.annotations and subject.annotations[ours] == subject.annotations[key]:
            return  # said in both languages, as in a migration
        fix = f"Write {ours}." if ours in pod_keys(system) else "Remove it."
        yield _other_mesh(key, system, fix=fix)
    elif get_close_matches(prefix, [system.annotation_prefix], n=1, cutoff=_NEAR):
        yield _unknown(key, system, meant=ours)


def watched(labels: Mapping[str, str], mesh: MeshView) -> bool:
    """Whether a namespace is meant for the mesh: its label may still be another system's."""
    return any(labels.get(known.monitored_by_label) == mesh.name for known in SYSTEMS.values())


def injection_value(subject: Subject) -> Iterator[Finding]:
    """H16: a value of the injection annotation that refuses the pod."""
    key = subject.mesh.system.annotation(INJECTION)
    value = subject.annotations.get(key)
    if type(value) is str and yes_or_no(value) is None:
        yield finding(
            "injection-value",
            f"annotation {key}: expected enabled or disabled, got {value!r}",
            path=annotation_path(key),
            value=value,
        )


def sidecar_values(subject: Subject) -> Iterator[Finding]:
    """Values of the sidecar's annotations that are ignored without a word."""
    system = subject.mesh.system
    read = pod_keys(system)
    for name in (keys.HOLD, keys.GRACEFUL_EXIT):
        key = system.annotation(name)
        value = subject.annotations.get(key)
        if key in read and type(value) is str and yes_or_no(value) is None:
            yield finding(
                "sidecar-option",
                f"annotation {key}: {value!r} is neither a yes nor a no and counts as no",
                path=annotation_path(key),
                value=value,
            )
    for _, _, key in keys_of(system).resources:
        value = subject.annotations.get(key)
        if key in read and type(value) is str and stored_quantity(value) is None:
            yield finding(
                "sidecar-option",
                f"annotation {key}: {value!r} is no quantity and is left out",
                path=annotation_path(key),
                value=value,
            )


def namespace(manifest: Mapping[str, Any], mesh: MeshView) -> Iterator[Finding]:
    """What a Namespace's keys get wrong: keys of pods or other meshes, places, spelling, values.

    Args:
        manifest: the Namespace.
        mesh: whose injector.
    """
    system = mesh.system
    metadata = manifest.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    labels, found = known.get("labels"), known.get("annotations")
    labels = labels if isinstance(labels, dict) else {}
    enrolled = system.monitored_by_label in labels or watched(labels, mesh)
    yield from of_namespace(known, system)
    yield from _other_label(labels, mesh)
    annotations = found if isinstance(found, dict) else {}
    for key, value in annotations.items():
        prefix, slash, name = key.partition("/") if isinstance(key, str) else ("", "", "")
        if slash and prefix == system.annotation_prefix:
            yield from _of_namespace(key, value, system)
        elif slash and prefix in _PREFIXES and enrolled:
            ours = system.annotation(name)
            if ours in namespace_keys(system) and annotations.get(ours) != value:
                yield _other_mesh(key, system, fix=f"Write {ours}.")


def _other_label(labels: Mapping[str, Any], mesh: MeshView) -> Iterator[Finding]:
    ours = mesh.system.monitored_by_label
    for key in sorted({known.monitored_by_label for known in SYSTEMS.values()} - {ours}):
        if labels.get(key) == mesh.name and ours not in labels:
            yield finding(
                "label-other-mesh",
                f"label {key}: this mesh is {mesh.system.title}, whose webhook asks for {ours}",
                path=f"metadata.labels.{key}",
                value=key,
                fix=f"Write {ours}.",
            )


def _of_namespace(key: str, value: object, system: System) -> Iterator[Finding]:
    read = namespace_keys(system)
    if key in pod_keys(system) - read:
        yield finding(
            "annotation-not-read",
            f"annotation {key} is read from pods, not from namespaces",
            path=annotation_path(key),
            value=key,
            fix="Put it into the pod templates.",
        )
    elif not isinstance(value, str):
        yield _not_text(key, value)
    elif key in read:
        if key in _switches(system) and yes_or_no(value) is None:
            yield finding(
                "injection-value",
                f"annotation {key}: expected enabled or disabled, got {value!r}",
                path=annotation_path(key),
                value=value,
            )
    elif near := get_close_matches(key, sorted(read), n=1, cutoff=_NEAR):
        yield _unknown(key, system, meant=near[0])


def _unknown(key: str, system: System, *, meant: str) -> Finding:
    hint = f"; did you mean {meant}?" if meant else ""
    return finding(
        "annotation-unknown",
        f"annotation {key}: no such annotation of {system.title}{hint}",
        path=annotation_path(key),
        value=key,
        fix=f"Write {meant}." if meant else "",
    )


def _other_mesh(key: str, system: System, *, fix: str) -> Finding:
    return finding(
        "annotation-other-mesh",
        f"annotation {key}: this mesh is {system.title}, which reads {system.annotation_prefix}/",
        path=annotation_path(key),
        value=key,
        fix=fix,
    )


def _switches(system: System) -> tuple[str, str]:
    return system.annotation(INJECTION), system.annotation(METRICS)


CHECKS: Final = (not_text, unknown, injection_value, sidecar_values)
