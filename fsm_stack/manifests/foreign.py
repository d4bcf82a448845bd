"""Fields of our objects that others write on purpose, and the ways through a conflict over others.

One spelling for the Pulumi program, which meets the conflict, and for reports, which foresee it.

It feeds ``ignore_changes`` of Pulumi resources, Argo CD's ignored differences, and drift reports.
A path is a Pulumi property path; the field itself need not be in the declared object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.manifests.manifest import CONTROLLER, INJECTOR
from fsm_stack.manifests.mesh_config import CRD_NAME
from fsm_stack.well_known import GATEWAY_MUTATING_WEBHOOK, GATEWAY_VALIDATING_WEBHOOK

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings

# The setting of a stack that takes the MeshConfig's fields back.
FORCE_MESH_CONFIG: Final = "deployment.forceMeshConfig"
# The same of every object. Source: pulumi-kubernetes' schema, enablePatchForce.
FORCE_EVERY_OBJECT: Final = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"
UP: Final = "pulumi up --refresh"
FORCED_UP: Final = f"{FORCE_EVERY_OBJECT} {UP}"
# The managers under which this project's own writes stand: the provider's default begins so.
OWN_MANAGERS: Final = ("pulumi", "fsm-stack")


_LAST_APPLIED: Final = 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]'
_CA_BUNDLE: Final = "webhooks[*].clientConfig.caBundle"


@dataclass(frozen=True, slots=True)
class ForeignPath:
    """One field that is not only ours.

    Attributes:
        kind: the object's kind.
        name: the object's name.
        path: the field, as a Pulumi property path.
        writer: the program that writes it.
        why: what for.
    """

    kind: str
    name: str
    path: str
    writer: str
    why: str


def foreign_paths(settings: StackSettings) -> tuple[ForeignPath, ...]:
    """Every field of this stack's objects that others write on purpose.

    Source: flomesh-io/fsm pkg/injector/webhook.go, pkg/validator/patch.go,
    pkg/manager/reconciler/registers.go, pkg/connector/cli/sync.go, cmd/fsm-bootstrap (CRDs and
    MeshConfig).
    """
    if not settings.profile.declares_control_plane:
        return ()
    mesh_config = settings.profile.mesh_config_name
    webhooks = _webhooks(settings.mutating_webhook_name, settings.validating_webhook_name)
    return (*_crd(), *_mesh_config(mesh_config), *webhooks, *_replicas(settings))


def foreign_paths_of_rendered(
    *, mesh_config: str, mutating: str, validating: str
) -> tuple[ForeignPath, ...]:
    """The same of a control plane that is known by the names of its rendered objects only."""
    return (*_mesh_config(mesh_config), *_webhooks(mutating, validating))


def paths_by_object(settings: StackSettings) -> dict[tuple[str, str], tuple[str, ...]]:
    """The paths of each object, by kind and name."""
    paths: dict[tuple[str, str], tuple[str, ...]] = {}
    for foreign in foreign_paths(settings):
        key = (foreign.kind, foreign.name)
        paths[key] = (*paths.get(key, ()), foreign.path)
    return paths


def _crd() -> tuple[ForeignPath, ...]:
    reasons = {
        "spec.versions": "it replaces the versions by those of its own release",
        "spec.names": "it replaces the names by those of its own release",
        "spec.conversion": "it sets the conversion strategy to None",
        'metadata.labels["flomesh.io/reconcile"]': "it says whether the reconciler restores the "
        "CRD",
    }
    return tuple(
        ForeignPath("CustomResourceDefinition", CRD_NAME, path, "fsm-bootstrap", why)
        for path, why in reasons.items()
    )


def _mesh_config(name: str) -> tuple[ForeignPath, ...]:
    applied = "it adds the annotation where it is absent, as kubectl apply would"
    found = "it writes the addresses of the gateway that it found"
    return (
        ForeignPath("MeshConfig", name, _LAST_APPLIED, "fsm-bootstrap", applied),
        ForeignPath("MeshConfig", name, "spec.connector.viaGateway", "fsm-connector", found),
    )


def _webhooks(mutating_name: str, validating_name: str) -> tuple[ForeignPath, ...]:
    mutating, validating = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
    authority = "it writes the authority of its own certificate, when it starts"
    filled = "it fills in the webhooks of the gateway features that are on"
    return (
        ForeignPath(mutating, mutating_name, _CA_BUNDLE, INJECTOR, authority),
        ForeignPath(validating, validating_name, _CA_BUNDLE, CONTROLLER, authority),
        ForeignPath(mutating, GATEWAY_MUTATING_WEBHOOK, "webhooks", CONTROLLER, filled),
        ForeignPath(validating, GATEWAY_VALIDATING_WEBHOOK, "webhooks", CONTROLLER, filled),
    )


def _replicas(settings: StackSettings) -> tuple[ForeignPath, ...]:
    components = settings.components
    why = "it sets the number of pods within the autoscaler's bounds"
    return tuple(
        ForeignPath("Deployment", app, "spec.replicas", "horizontal-pod-autoscaler", why)
        for app, component in (
            (CONTROLLER, components.controller),
            (INJECTOR, components.injector),
        )
        if component.autoscaling.enabled
    )
