"""Which Kubernetes objects a stack is: the only place that says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.manifests.certificates import preset_root_certificate
from fsm_stack.manifests.deployments import deployments
from fsm_stack.manifests.foreign import paths_by_object
from fsm_stack.manifests.mesh import (
    control_plane_namespace,
    custom_resource_definition,
    enrolled_namespaces,
    mesh_config,
    pipy_scripts,
    preset_config_map,
    redirection_config_map,
)
from fsm_stack.manifests.programs.egress import egress_gateway
from fsm_stack.manifests.programs.grafana import grafana
from fsm_stack.manifests.programs.ingress import ingress
from fsm_stack.manifests.programs.logs_and_traces import fluent_bit_config, jaeger
from fsm_stack.manifests.programs.node_level import xnetwork
from fsm_stack.manifests.programs.prometheus import prometheus
from fsm_stack.manifests.rbac import rbac
from fsm_stack.manifests.services import availability, services, webhooks
from fsm_stack.manifests.verifying import verify_job

if TYPE_CHECKING:
    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.manifests.release import ReleaseAsset
    from fsm_stack.redirection.scopes import Redirection
    from fsm_stack.settings.models.stack import StackSettings

# Within a wave: what others refer to comes first.
KIND_ORDER: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "MeshConfig",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "ConfigMap",
    "IngressClass",
    "Service",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "Deployment",
    "CronJob",
    "DaemonSet",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
)


def _order(manifest: Manifest) -> tuple[int, int, str]:
    return (manifest.wave, KIND_ORDER.index(manifest.kind), manifest.name)


def _fsm(
    settings: StackSettings, redirected: Redirection, asset: ReleaseAsset | None
) -> tuple[Manifest, ...]:
    return (
        *control_plane_namespace(settings),
        custom_resource_definition(settings),
        mesh_config(settings),
        *rbac(settings),
        preset_config_map(settings),
        *preset_root_certificate(settings),
        *pipy_scripts(settings, asset),
        redirection_config_map(settings, redirected),
        *services(settings),
        *webhooks(settings),
        *deployments(settings),
        *availability(settings),
        *verify_job(settings),
        *ingress(settings),
        *egress_gateway(settings, asset),
        *xnetwork(settings),
        *prometheus(settings),
        *grafana(settings, asset),
        *jaeger(settings),
        *fluent_bit_config(settings),
        *enrolled_namespaces(settings),
    )


def _guard(settings: StackSettings) -> tuple[Manifest, ...]:
    if set(settings.guard.actions().values()) == {"off"}:
        return ()
    # Policies are written of the rules' algebra, which no other object needs.
    from fsm_stack.manifests.guard.policies import guard  # noqa: PLC0415  # 15 ms

    return guard(settings)


def bundle(
    settings: StackSettings, redirected: Redirection, *, asset: ReleaseAsset | None = None
) -> tuple[Manifest, ...]:
    """Every object of a stack, in the order of creation.

    Args:
        settings: the stack.
        redirected: its redirection, from :func:`fsm_stack.redirection.scopes.redirection`.
        asset: the release's Pipy scripts; needed when ``releaseAssets.source`` is ``vendored``.

    Returns:
        Objects by wave, then kind, then name: equal settings give equal bundles. A stack of
        osm-edge or OSM is its MeshConfig, its redirection and its guard; its control plane is
        installed by their own tools.

    Raises:
        FindingsError: ``assets-missing``.
        InputError: the asset is another release's, or Vault is chosen without its settings.
    """
    if settings.profile.declares_control_plane:
        manifests = _fsm(settings, redirected, asset)
    else:
        manifests = (mesh_config(settings), redirection_config_map(settings, redirected))
    manifests = (*manifests, *_guard(settings))
    foreign = paths_by_object(settings)
    marked = (
        replace(manifest, foreign_paths=foreign.get((manifest.kind, manifest.name), ()))
        for manifest in manifests
    )
    return tuple(sorted(marked, key=_order))
