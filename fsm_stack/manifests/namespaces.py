"""The control plane's namespace, and the enrolment of those whose pods join the mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.manifest import Manifest, Part, Wave

if TYPE_CHECKING:
    from fsm_stack.settings.cluster import EnrolledNamespace
    from fsm_stack.settings.stack import StackSettings


def control_plane_namespace(settings: StackSettings) -> tuple[Manifest, ...]:
    """The control plane's namespace; a patch of its label where the settings say that it exists.

    A stack that stops declaring its namespace must not delete it, and all that is in it.
    Its label ``name`` is what Helm gives a namespace that it creates, and what the webhooks'
    selectors look at to leave the control plane alone.
    Source: helm pkg/action/install.go; flomesh-io/fsm pkg/injector/webhook.go.
    """
    name = settings.namespace
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    }
    return (
        Manifest(
            object=namespace,
            part=Part.CONTROL_PLANE,
            wave=Wave.NAMESPACE,
            patch=not settings.mesh.create_namespace,
        ),
    )


def _enrolment(settings: StackSettings, enrolled: EnrolledNamespace) -> dict[str, Any]:
    system = settings.profile
    annotations: dict[str, str] = {}
    if enrolled.sidecar_injection is not None:
        annotations[system.annotation("sidecar-injection")] = (
            "enabled" if enrolled.sidecar_injection else "disabled"
        )
    if enrolled.metrics:
        annotations[system.annotation("metrics")] = "enabled"
    metadata: dict[str, Any] = {
        "name": enrolled.name,
        "labels": {system.monitored_by_label: settings.mesh_name},
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def enrolled_namespaces(settings: StackSettings) -> tuple[Manifest, ...]:
    """One object for each enrolled namespace.

    A namespace that others own is a patch: only the label and the annotations are ours.
    Source: flomesh-io/fsm cmd/cli namespace_add.go and metrics_enable.go.
    """
    return tuple(
        Manifest(
            object=_enrolment(settings, enrolled),
            part=Part.INJECTOR_WEBHOOK,
            wave=Wave.ENROLMENT,
            patch=not enrolled.create,
        )
        for enrolled in settings.enrolled_namespaces
    )
