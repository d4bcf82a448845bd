"""A namespace as the webhook and the injector see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fsm_stack.injection import annotations as keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injection.mesh import MeshView


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """One namespace.

    Attributes:
        name: its name.
        labels: decide whether the webhook calls the injector, and whether the mesh knows it.
        annotations: defaults of its pods.
        assumed: nobody has shown it; it is taken as enrolled.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    assumed: bool = False


def namespace_view(manifest: Mapping[str, Any]) -> NamespaceView:
    """A Namespace object as it stands in a file or a cluster."""
    metadata = manifest.get("metadata") or {}
    name = metadata.get("name") or ""
    # The API server sets this label on every namespace, and refuses another value.
    labels = {"kubernetes.io/metadata.name": name} | (metadata.get("labels") or {})
    return NamespaceView(
        name=name, labels=labels, annotations=dict(metadata.get("annotations") or {})
    )


def assumed_namespace(name: str, mesh: MeshView) -> NamespaceView:
    """A namespace that is not at hand: as ``fsm namespace add`` leaves it."""
    return NamespaceView(
        name=name,
        labels={
            mesh.system.monitored_by_label: mesh.name,
            "kubernetes.io/metadata.name": name,
        },
        annotations={mesh.system.annotation(keys.INJECTION): "enabled"},
        assumed=True,
    )
