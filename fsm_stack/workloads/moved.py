"""Misplaced annotations as they would be where they belong: their values are checked, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.workloads.lint.subject import annotation_path
from fsm_stack.workloads.misplaced import misplaced_keys
from fsm_stack.workloads.objects import object_at
from fsm_stack.workloads.preview import preview
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.workloads.lint import ClusterRanges
    from fsm_stack.workloads.objects import Workload


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
