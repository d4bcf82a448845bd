"""Whose mesh a snapshot is of, where nobody says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.shape import mapping, text
from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


def guessed_system(snapshot: Snapshot) -> System | None:
    """The one system that a snapshot tells of; None: it tells of none, or of several.

    A MeshConfig tells it; without one the containers of injected pods, then labels of namespaces,
    then the names of webhooks in what was pasted, then keys of the meshes wherever they stand.
    """
    if not snapshot.mesh_configs:
        return next((known for asked in _HINTS if (known := _only(asked, snapshot))), None)
    found = [known for known in SYSTEMS.values() if _has_mesh_config(snapshot, known)]
    if len({(known.mesh_config_group, known.mesh_config_name) for known in found}) == 1:
        marked = [known for known in found if _has_mark(snapshot, known)]
        found = marked or [known for known in found if not known.mesh_config_marks]
    return found[0] if len(found) == 1 else None


def _has_mesh_config(snapshot: Snapshot, system: System) -> bool:
    return any(
        (item.get("metadata") or {}).get("name") == system.mesh_config_name
        and str(item.get("apiVersion") or system.mesh_config_group).partition("/")[0]
        == system.mesh_config_group
        for item in snapshot.mesh_configs
    )


def _has_mark(snapshot: Snapshot, system: System) -> bool:
    """Whether a MeshConfig has a field that tells this system from those of the same names."""
    return any(
        field in mapping(mapping(item.get("spec")).get(section))
        for item in snapshot.mesh_configs
        for section, field in system.mesh_config_marks
    )


def _only(asked: Callable[[Snapshot, System], bool], snapshot: Snapshot) -> System | None:
    found = [known for known in SYSTEMS.values() if asked(snapshot, known)]
    return found[0] if len(found) == 1 else None


def _has_injected(snapshot: Snapshot, system: System) -> bool:
    names = (system.init_container, system.sidecar_container)
    return any(all(map(pod.container, names)) for pod in snapshot.pods)


def _has_labelled(snapshot: Snapshot, system: System) -> bool:
    return any(system.proxy_label in pod.labels for pod in snapshot.pods)


def _has_enrolled(snapshot: Snapshot, system: System) -> bool:
    label, mesh = system.monitored_by_label, system.default_mesh_name
    return any(
        mapping(mapping(item.get("metadata")).get("labels")).get(label) == mesh
        for item in snapshot.namespaces.values()
    )


def _has_webhook(snapshot: Snapshot, system: System) -> bool:
    name = f'"{system.default_mesh_name}-inject.k8s.io"'
    said = (text(event.get("message")) for event in snapshot.events)
    return any(name in words for words in (*said, *(words for _, words in snapshot.texts)))


def _has_named(snapshot: Snapshot, system: System) -> bool:
    """A namespace names its mesh, under another system's key or in an annotation."""
    keys = {known.monitored_by_label for known in SYSTEMS.values()}
    return any(
        key in keys and value == system.default_mesh_name
        for item in snapshot.namespaces.values()
        for key, value in _given(item)
    )


def _has_key(snapshot: Snapshot, system: System) -> bool:
    """A namespace, a pod or a pod template has a key of the system's."""
    owners = snapshot.owners.values()
    templates = (mapping(mapping(item.get("spec")).get("template")) for item in owners)
    objects = (*snapshot.namespaces.values(), *owners, *templates)
    given = [pair for item in objects for pair in _given(item)]
    given += [
        pair for pod in snapshot.pods for pair in (*pod.labels.items(), *pod.annotations.items())
    ]
    return any(key.startswith(f"{system.annotation_prefix}/") for key, _ in given)


def _given(item: Json) -> Iterator[tuple[str, object]]:
    about = mapping(item.get("metadata"))
    for part in ("labels", "annotations"):
        yield from mapping(about.get(part)).items()


_HINTS: Final = (_has_injected, _has_labelled, _has_enrolled, _has_webhook, _has_named, _has_key)
