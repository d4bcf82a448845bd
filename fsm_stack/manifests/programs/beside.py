"""What the programs beside the control plane have in common.

Source: flomesh-io/fsm charts/fsm/templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.manifest import Manifest, Part, Wave, common_labels, metadata
from fsm_stack.manifests.pods import from_pod
from fsm_stack.manifests.rbac import account, cluster_binding, role, wide_name
from fsm_stack.settings.models.components import image_reference

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings


def other_image(settings: StackSettings, field: str) -> dict[str, str]:
    """The same of a program that is not FSM's, whose image FSM's pull policy is not for."""
    reference = image_reference(settings.images, settings.fsm_version, field)
    return {"image": reference, "imagePullPolicy": "IfNotPresent"}


def own_place(settings: StackSettings) -> list[dict[str, Any]]:
    """What a gateway is told about itself."""
    return [
        {"name": "FSM_NAMESPACE", "value": settings.namespace},
        from_pod("FSM_POD_NAME", "metadata.name"),
        from_pod("FSM_POD_NAMESPACE", "metadata.namespace"),
    ]


def other_program(
    settings: StackSettings,
    about: dict[str, Any],
    app: str,
    pod: dict[str, Any],
    *,
    replicas: int = 1,
    strategy: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A Deployment of a program beside the control plane.

    Args:
        settings: the stack.
        about: the Deployment's metadata.
        app: the label by which it finds its pods.
        pod: the pods' specification.
        replicas: how many pods.
        strategy: how pods are replaced; Kubernetes' default if absent.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            **({"strategy": strategy} if strategy else {}),
            "template": {
                "metadata": {"labels": {**common_labels(settings), "app": app}},
                "spec": pod,
            },
        },
    }


def gateway_metadata(settings: StackSettings, name: str, app: str) -> dict[str, Any]:
    """The metadata of a gateway's object, which names the mesh too."""
    about = metadata(settings, name, app=app)
    about["labels"]["meshName"] = settings.mesh_name
    return about


def fixed_resources(
    cpu: str, memory: str, cpu_request: str, memory_request: str
) -> dict[str, Any]:
    """Resources that the chart fixes."""
    return {
        "limits": {"cpu": cpu, "memory": memory},
        "requests": {"cpu": cpu_request, "memory": memory_request},
    }


def observing(
    foundation: list[dict[str, Any]], programs: list[dict[str, Any]]
) -> tuple[Manifest, ...]:
    """Objects of observability: what their programs need, and the programs."""
    part = Part.OBSERVABILITY
    return (
        *(Manifest(object=item, part=part, wave=Wave.FOUNDATION) for item in foundation),
        *(Manifest(object=item, part=part, wave=Wave.CONTROL_PLANE) for item in programs),
    )


def without_rights(settings: StackSettings, name: str, account_name: str) -> list[dict[str, Any]]:
    """An account, and the role that the chart binds it to, which allows nothing."""
    wide = wide_name(settings, name)
    made = (
        account(settings, account_name),
        role(settings, "ClusterRole", wide, ()),
        cluster_binding(settings, wide, wide, account_name=account_name),
    )
    for item in made:
        item["metadata"]["labels"]["app"] = account_name
    return list(made)
