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
    metadata = manifest.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    name = known.get("name")
    name = name if isinstance(name, str) else ""
    # The API server sets this label on every namespace, and refuses another value.
    labels = {"kubernetes.io/metadata.name": name} | _texts(known.get("labels"))
    return NamespaceView(name=name, labels=labels, annotations=_texts(known.get("annotations")))


def _texts(value: object) -> dict[str, str]:
    """The entries that the API server would take; it refuses an object with others."""
    entries = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in entries if isinstance(key, str) and isinstance(text, str)}


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
