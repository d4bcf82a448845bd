"""Checks of what surrounds redirection: systems, images, certificates, presets, assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.models.cluster import ENDPOINT_SLICES_SINCE
from fsm_stack.settings.models.components import UNRELEASED, Images, image_tag
from fsm_stack.settings.models.mesh import not_in_system
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.models.values import address_text, cidr_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml.places import Path

    Found = Iterator[tuple[Path, Finding]]

# Settings that only FSM's own control plane reads: field in the model, key in files.
_FSM_ONLY: Final = {
    "components": "components",
    "certificate_provider": "certificateProvider",
    "enrolled_namespaces": "enrolledNamespaces",
    "release_assets": "releaseAssets",
}


def not_provided(settings: StackSettings, _today: date) -> Found:
    """A switch of MeshConfig whose component no manifest declares yet."""
    for field, path, component in (
        (settings.ingress.enabled, ("ingress", "enabled"), "the ingress Deployment"),
        (settings.gateway_api.enabled, ("gatewayAPI", "enabled"), "the gateway's components"),
        (settings.service_lb.enabled, ("serviceLB", "enabled"), "the service load balancer"),
        (settings.flb.enabled, ("flb", "enabled"), "the FLB controller and its Secret"),
        (settings.egress_gateway.enabled, ("egressGateway", "enabled"), "the egress Deployment"),
    ):
        if field:
            message = f"not provided yet: {component}, which this switch needs"
            yield at(path, "not-provided-yet", message, value="true", fix="Write false.")
    node_level = settings.traffic.interception_mode == "NodeLevel"
    if node_level and settings.profile.declares_control_plane:
        message = "not provided yet: the XNetwork DaemonSet, which NodeLevel interception needs"
        yield at(
            ("traffic", "interceptionMode"),
            "not-provided-yet",
            message,
            value="NodeLevel",
            fix="Write PodLevel.",
        )


def other_system(settings: StackSettings, _today: date) -> Found:
    """A setting that osm-edge or OSM does not have."""
    if settings.profile.declares_control_plane:
        return
    for text in not_in_system(settings, settings.system):
        message = f"{settings.system} has no {text}"
        yield at(tuple(text.split(".")), "not-in-system", message)
    for field, key in _FSM_ONLY.items():
        if getattr(settings, field) != StackSettings.model_fields[field].get_default(
            call_default_factory=True
        ):
            message = (
                f"{settings.system} gives MeshConfig and redirection only: {key} has no effect"
            )
            yield at((key,), "not-in-system", message)
    message = (
        f"{settings.profile.title} gives MeshConfig and redirection only; "
        "its control plane is installed by its own tools"
    )
    yield at(("system",), "partial-system", message, value=settings.system)


def certificates(settings: StackSettings, _today: date) -> Found:
    """Vault chosen without saying where it is."""
    provider = settings.certificate_provider
    if provider.kind == "vault" and provider.vault is None:
        yield at(
            ("certificateProvider", "vault"),
            "missing-key",
            "expected certificateProvider.vault with host and tokenSecret, got nothing",
        )
    if provider.kind != "vault" and provider.vault is not None:
        yield at(
            ("certificateProvider", "vault"),
            "invalid-value",
            f"expected vault settings only with kind vault, got kind {provider.kind}",
        )


def presets(settings: StackSettings, _today: date) -> Found:
    """The kubernetes-api preset in a stack that does not say where the API server is."""
    for name, profile in settings.annotation_profiles.items():
        if "kubernetes-api" in profile.presets and settings.cluster.api_server is None:
            index = profile.presets.index("kubernetes-api")
            yield at(
                ("annotationProfiles", name, "presets", index),
                "missing-key",
                "expected cluster.apiServer.address, which the preset kubernetes-api excludes",
                fix="Set cluster.apiServer.address.",
            )


def moving_tags(settings: StackSettings, _today: date) -> Found:
    """Images that another push of the same tag changes: one finding for each tag."""
    named: dict[Path, list[str]] = {}
    for field, info in Images.model_fields.items():
        image = getattr(settings.images, field)
        if not hasattr(image, "digest") or image.digest:
            continue
        if image_tag(settings.images, settings.fsm_version, field) == "latest":
            key = info.alias or field
            path: Path = ("images", key, "tag") if image.tag else ("images", "tag")
            named.setdefault(path, []).append(key)
    for path, keys in named.items():
        verb = "is" if len(keys) == 1 else "are"
        message = f"{', '.join(keys)} {verb} named by the moving tag latest"
        yield at(path, "mutable-image", message)


def bounds(settings: StackSettings, _today: date) -> Found:
    """Pairs of numbers where the lower one is above the upper."""
    for key in ("controller", "injector"):
        scaling = getattr(settings.components, key).autoscaling
        if scaling.min_replicas > scaling.max_replicas:
            message = (
                f"expected at most maxReplicas {scaling.max_replicas}, got {scaling.min_replicas}"
            )
            path: Path = ("components", key, "autoscaling", "minReplicas")
            yield at(path, "invalid-value", message, value=scaling.min_replicas)


def api_server(settings: StackSettings, _today: date) -> Found:
    """An API server address inside the pod range: probably a mistake of copying."""
    server = settings.cluster.api_server
    if server is None:
        return
    address = cidr_bounds(f"{server.address}/32")[0]
    for text in settings.cluster.pod_ranges:
        low, high = cidr_bounds(text)
        if low <= address <= high:
            message = (
                f"expected an address outside the pod range {text}, got {address_text(address)}"
            )
            yield at(("cluster", "apiServer", "address"), "api-server-in-pod-range", message)


def release(settings: StackSettings, _today: date) -> Found:
    """A version that upstream has not released."""
    if settings.profile.declares_control_plane and settings.fsm_version in UNRELEASED:
        message = f"upstream has a branch {settings.fsm_version}, and no release of that version"
        yield at(("fsmVersion",), "fsm-unreleased", message, value=settings.fsm_version)


# The first Kubernetes 1.N for a stack, for an autoscaler and for a disruption budget of ours.
# Source: flomesh-io/fsm pkg/version/utils.go, MinK8sVersion; Kubernetes' deprecation guide
# (autoscaling/v2 since 1.23, policy/v1 since 1.21).
_FSM_SINCE: Final = 19
_AUTOSCALER_SINCE: Final = 23
_BUDGET_SINCE: Final = 21


def kubernetes_version(settings: StackSettings, _today: date) -> Found:
    """A cluster too old for what FSM's programs, or an object of the stack, ask of it."""
    if not settings.profile.declares_control_plane:
        return
    cluster = settings.cluster
    needed: list[tuple[Path, int, str]] = [
        (("cluster", "kubernetesVersion"), _FSM_SINCE, "FSM's programs do not run")
    ]
    for key in ("controller", "injector"):
        component = getattr(settings.components, key)
        path: Path = ("components", key)
        if component.autoscaling.enabled:
            enabled = (*path, "autoscaling", "enabled")
            needed.append((enabled, _AUTOSCALER_SINCE, "autoscaling/v2 is not served"))
        if component.pod_disruption_budget:
            budget = (*path, "podDisruptionBudget")
            needed.append((budget, _BUDGET_SINCE, "policy/v1 is not served"))
    flags = settings.feature_flags
    if "use_endpoint_slices_for_gateway" in flags.model_fields_set and (
        flags.use_endpoint_slices_for_gateway
    ):
        needed.append(
            (
                ("featureFlags", "useEndpointSlicesForGateway"),
                ENDPOINT_SLICES_SINCE,
                "discovery.k8s.io/v1 is not served",
            )
        )
    for path, since, why in needed:
        if cluster.kubernetes_minor < since:
            message = (
                f"expected Kubernetes 1.{since} or newer, cluster.kubernetesVersion is "
                f"{cluster.kubernetes_version}: {why}"
            )
            yield at(path, "kubernetes-too-old", message)


def assets(settings: StackSettings, _today: date) -> Found:
    """The Pipy scripts are left out: a stack to look at, or one that cannot be brought up."""
    if not settings.profile.declares_control_plane:
        return
    left_out = settings.release_assets.source == "omit"
    if settings.deployment.look_only:
        lacking = ", and fsm-controller does not start without the release's Pipy scripts"
        message = f"to look at only: pulumi up does not wait{lacking if left_out else ''}"
        yield at(("deployment", "lookOnly"), "look-only", message, value="true")
    elif left_out:
        message = (
            "the release's Pipy scripts are left out, and fsm-controller does not start without "
            "them: pulumi up would wait in vain"
        )
        yield at(("releaseAssets", "source"), "assets-omitted", message, value="omit")


CHECKS: Final = (
    not_provided,
    other_system,
    certificates,
    presets,
    moving_tags,
    bounds,
    api_server,
    release,
    kubernetes_version,
    assets,
)
