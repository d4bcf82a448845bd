"""Checks of what surrounds redirection, and of settings that need, order or cancel each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.models.components import (
    UNRELEASED,
    Verify,
)
from fsm_stack.settings.models.control_plane import ENDPOINT_SLICES_SINCE
from fsm_stack.settings.models.mesh import not_in_system
from fsm_stack.settings.models.policy import POLICIES_SINCE
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.units import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.yaml.places import Path


# Settings that only FSM's own control plane reads: field in the model, key in files.
_FSM_ONLY: Final = {
    "components": "components",
    "certificate_provider": "certificateProvider",
    "enrolled_namespaces": "enrolledNamespaces",
    "release_assets": "releaseAssets",
    "verify": "verify",
}


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
    cluster = settings.cluster
    for path, since, why in _needed(settings):
        if cluster.kubernetes_minor < since:
            message = (
                f"expected Kubernetes 1.{since} or newer, cluster.kubernetesVersion is "
                f"{cluster.kubernetes_version}: {why}"
            )
            yield at(path, "kubernetes-too-old", message)


def _needed(settings: StackSettings) -> Iterator[tuple[Path, int, str]]:
    """Settings with the first 1.N that serves what they declare, and what is not there before."""
    for key, action in settings.guard.actions().items():
        if action != "off":
            yield ("guard", key), POLICIES_SINCE, "ValidatingAdmissionPolicy v1 is not served"
    if not settings.profile.declares_control_plane:
        return
    yield ("cluster", "kubernetesVersion"), _FSM_SINCE, "FSM's programs do not run"
    for key in ("controller", "injector"):
        component = getattr(settings.components, key)
        path: Path = ("components", key)
        if component.autoscaling.enabled:
            enabled = (*path, "autoscaling", "enabled")
            yield enabled, _AUTOSCALER_SINCE, "autoscaling/v2 is not served"
        if component.pod_disruption_budget:
            yield (*path, "podDisruptionBudget"), _BUDGET_SINCE, "policy/v1 is not served"
    flags = settings.feature_flags
    if "use_endpoint_slices_for_gateway" in flags.model_fields_set and (
        flags.use_endpoint_slices_for_gateway
    ):
        path = ("featureFlags", "useEndpointSlicesForGateway")
        yield path, ENDPOINT_SLICES_SINCE, "discovery.k8s.io/v1 is not served"


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


def adopting(settings: StackSettings, _today: date) -> Found:
    """Objects that the next update takes over from whoever installed them."""
    if count := len(settings.deployment.adopt):
        objects = "1 object" if count == 1 else f"{count} objects"
        message = f"pulumi up takes {objects} over; take the setting out when it has"
        yield at(("deployment", "adopt"), "adopting", message)


_TLS_ORDER: Final = ("TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3")


def without_address(settings: StackSettings, _today: date) -> Found:
    """A switch that sends something to a host that nobody named."""
    authorization = settings.traffic.inbound_external_authorization
    logging = settings.observability.remote_logging
    switches: tuple[tuple[bool, Path, tuple[str, ...], Any], ...] = (
        (
            authorization.enable,
            ("traffic", "inboundExternalAuthorization"),
            ("address", "port"),
            authorization,
        ),
        (logging.enable, ("observability", "remoteLogging"), ("address",), logging),
    )
    for on, path, keys, section in switches:
        missing = [key for key in keys if getattr(section, key) is None]
        if on and missing:
            message = f"enable is true, and no {' and no '.join(missing)} is set"
            yield at((*path, "enable"), "no-destination", message, value="true")


def tls_versions(settings: StackSettings, _today: date) -> Found:
    """An oldest TLS version above the newest: no handshake succeeds."""
    low = settings.sidecar.tls_min_protocol_version
    high = settings.sidecar.tls_max_protocol_version
    if low not in _TLS_ORDER or high not in _TLS_ORDER:
        return
    if _TLS_ORDER.index(low) > _TLS_ORDER.index(high):
        message = f"expected at most tlsMaxProtocolVersion {high}, got {low}"
        yield at(("sidecar", "tlsMinProtocolVersion"), "invalid-value", message, value=low)


def certificate_life(settings: StackSettings, _today: date) -> Found:
    """Certificates that have expired when they are issued."""
    certificate = settings.certificate
    lives: list[tuple[Path, str]] = [
        (
            ("certificate", "serviceCertValidityDuration"),
            certificate.service_cert_validity_duration,
        )
    ]
    gateway = certificate.ingress_gateway
    if gateway is not None:
        path: Path = ("certificate", "ingressGateway", "validityDuration")
        lives.append((path, gateway.validity_duration))
    for path, life in lives:
        if nanoseconds(life) == 0:
            message = f"expected a life above zero, got {life}: every certificate has expired"
            yield at(path, "invalid-value", message, value=life)


def verify_job(settings: StackSettings, _today: date) -> Found:
    """A CronJob without an image, or what only says how one would run."""
    job = settings.verify
    if job.schedule is not None and job.image is None:
        message = "expected verify.image, the image of fsm-stack, beside a schedule; got nothing"
        yield at(("verify", "image"), "missing-key", message)
    elif job.schedule is None and job != Verify.model_construct():
        message = "nothing runs without verify.schedule"
        fix = "Set verify.schedule, or take the section out."
        yield at(("verify", "schedule"), "no-effect", message, fix=fix)


CHECKS: Final = (
    adopting,
    other_system,
    certificates,
    presets,
    bounds,
    release,
    kubernetes_version,
    assets,
    without_address,
    tls_versions,
    certificate_life,
    verify_job,
)
