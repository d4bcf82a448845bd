"""Checks of programs and their images: what those beside the control plane need or exclude."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.models.components import OTHER_IMAGES, Images, image_tag
from fsm_stack.well_known import FLB_LABEL

if TYPE_CHECKING:
    from datetime import date

    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path


# Images that FSM's programs start by themselves, from MeshConfig's section image, which has one
# registry and one tag for all of them. Source: flomesh-io/fsm pkg/apis/config/v1alpha3, ImageSpec.
_BY_MESH_CONFIG: Final = (
    "connector",
    "crds",
    "gateway",
    "ingress",
    "preinstall",
    "xnetmgmt",
)


def ingress(settings: StackSettings, _today: date) -> Found:
    """An ingress that serves nothing, or beside the Gateway API, which FSM has in its place."""
    wanted = settings.ingress
    if not wanted.enabled:
        return
    if settings.gateway_api.enabled:
        message = "expected ingress or gatewayAPI, got both: FSM serves one of the two"
        yield at(("gatewayAPI", "enabled"), "invalid-value", message, value="true")
    if not (wanted.namespaced or wanted.http.enabled or wanted.tls.enabled):
        message = "expected http or tls to be enabled, got neither: the ingress serves nothing"
        yield at(("ingress", "enabled"), "invalid-value", message, value="true")
    if not (wanted.http.enabled and wanted.tls.enabled):
        return
    for key in ("bind", "listen"):
        number = getattr(wanted.http, key)
        if getattr(wanted.tls, key) == number:
            message = f"expected another {key} than that of http, got {number} for both"
            yield at(("ingress", "tls", key), "invalid-value", message, value=number)


def egress_gateway(settings: StackSettings, _today: date) -> Found:
    """A gateway under the name of another Deployment, or with one port for two things."""
    gateway = settings.egress_gateway
    if not gateway.enabled:
        return
    name = settings.components.egress_gateway.name
    if name in _DEPLOYMENTS:
        message = f"Deployment {name} is a program of the control plane, or may stand beside it"
        path: Path = ("components", "egressGateway", "name")
        yield at(path, "name-taken", message, value=name)
    if gateway.port == gateway.admin_port:
        message = f"expected a port other than that of its traffic, got {gateway.port} for both"
        path = ("egressGateway", "adminPort")
        yield at(path, "invalid-value", message, value=gateway.admin_port)


_DEPLOYMENTS: Final = frozenset(
    {
        "fsm-bootstrap",
        "fsm-controller",
        "fsm-injector",
        "fsm-ingress",
        "fsm-prometheus",
        "fsm-grafana",
        "fsm-jaeger",
    }
)


def service_names(settings: StackSettings, _today: date) -> Found:
    """The ingress's Service under the name of another one."""
    name = settings.components.ingress.service_name
    taken = (_DEPLOYMENTS - {"fsm-ingress", "fsm-jaeger"}) | {
        "fsm-validator",
        "fsm-egress-gateway",
        "jaeger",
    }
    if settings.ingress.enabled and name in taken:
        message = f"Service {name} is another one of the control plane's namespace"
        yield at(("components", "ingress", "serviceName"), "name-taken", message, value=name)


def flb(settings: StackSettings, _today: date) -> Found:
    """FLB, without whose Secret the controller does not start."""
    wanted = settings.flb
    if wanted.enabled and settings.profile.declares_control_plane:
        message = (
            f"fsm-controller stops at its start unless Secret {wanted.secret_name} is in "
            f"{settings.namespace} with the label {FLB_LABEL}: no stack declares it"
        )
        yield at(("flb", "enabled"), "secret-needed", message, value="true")


def fluent_bit(settings: StackSettings, _today: date) -> Found:
    """Azure without saying where, or said for another output."""
    wanted = settings.components.fluent_bit
    azure = wanted.output_plugin.lower() == "azure"
    path: Path = ("components", "fluentBit", "azure")
    if wanted.enabled and azure and wanted.azure is None:
        message = "expected components.fluentBit.azure with workspaceId and keySecret, got nothing"
        yield at(path, "missing-key", message)
    if wanted.azure is not None and not azure:
        message = f"nothing reads it: outputPlugin is {wanted.output_plugin}"
        yield at(path, "no-effect", message)
    if wanted.enabled and wanted.name in {"fsm-controller", "fsm-pipy-repo"}:
        message = f"{wanted.name} is another container of the controller's pod"
        yield at(("components", "fluentBit", "name"), "name-taken", message, value=wanted.name)


def grafana(settings: StackSettings, _today: date) -> Found:
    """Grafana beside no Prometheus shows nothing."""
    components = settings.components
    if components.grafana.enabled and not components.prometheus.enabled:
        message = (
            "Grafana reads fsm-prometheus of the control plane's namespace, and this stack does "
            "not run it"
        )
        path: Path = ("components", "grafana", "enabled")
        yield at(path, "no-destination", message, value="true")


def beside_another(settings: StackSettings, _today: date) -> Found:
    """A second mesh with a feature whose objects have one name in a cluster."""
    if not settings.beside_another:
        return
    for on, path, what in (
        (settings.ingress.enabled, ("ingress", "enabled"), "the ingress class"),
        (settings.gateway_api.enabled, ("gatewayAPI", "enabled"), "the gateway's webhooks"),
        (settings.service_lb.enabled, ("serviceLB", "enabled"), "every Service's load balancer"),
        (settings.flb.enabled, ("flb", "enabled"), "every Service's load balancer"),
        (
            settings.mesh.enable_multi_clusters,
            ("mesh", "enableMultiClusters"),
            "the cluster's place among others",
        ),
    ):
        if on:
            message = (
                f"expected false beside another mesh, which mesh.releaseName "
                f"{settings.mesh.release_name} says: {what} can be of one mesh only"
            )
            yield at(path, "one-mesh-only", message, value="true")


def _unused(settings: StackSettings) -> frozenset[str]:
    """Images of programs that the stack does not run."""
    components = settings.components
    grafana = components.grafana
    runs = {
        "xnet": settings.node_level,
        "prometheus": components.prometheus.enabled,
        "grafana": grafana.enabled,
        "grafana_renderer": grafana.enabled and grafana.remote_rendering,
        "jaeger": components.jaeger.enabled,
        "fluent_bit": components.fluent_bit.enabled,
    }
    return frozenset(field for field, on in runs.items() if not on)


def moving_tags(settings: StackSettings, _today: date) -> Found:
    """Images that another push of the same tag changes: one finding for each tag."""
    named: dict[Path, list[str]] = {}
    unused = _unused(settings)
    for field, info in Images.model_fields.items():
        image = getattr(settings.images, field)
        if field in unused or not hasattr(image, "digest") or image.digest:
            continue
        if image_tag(settings.images, settings.fsm_version, field) == "latest":
            key = info.alias or field
            own = image.tag or field in OTHER_IMAGES
            path: Path = ("images", key, "tag") if own else ("images", "tag")
            named.setdefault(path, []).append(key)
    for path, keys in named.items():
        verb = "is" if len(keys) == 1 else "are"
        message = f"{', '.join(keys)} {verb} named by the moving tag latest"
        if keys == ["xnet"]:
            message += ": upstream gives the engine of NodeLevel no version"
        yield at(path, "mutable-image", message)
    image = settings.verify.image or ""
    _, _, tag = image.rpartition("/")[2].partition(":")
    if image and "@" not in image and tag in {"", "latest"}:
        message = "fsm-stack's own image is named by the moving tag latest"
        yield at(("verify", "image"), "mutable-image", message, value=image)


def image_parts(settings: StackSettings, _today: date) -> Found:
    """A registry or tag of one image, where FSM has one for all."""
    deployed = {
        "ingress": settings.ingress.enabled and not settings.ingress.namespaced,
        "xnetmgmt": settings.node_level,
    }
    for key in _BY_MESH_CONFIG if settings.profile.declares_control_plane else ():
        if deployed.get(key):
            continue
        image = getattr(settings.images, key)
        for part in ("registry", "tag"):
            value = getattr(image, part)
            if value is not None:
                message = (
                    f"nothing reads a {part} of this image: FSM starts it with the mesh's "
                    f"images.{part}, under its own name and digest"
                )
                fix = f"Set images.{part}, or a digest here."
                yield at(("images", key, part), "no-effect", message, value=value, fix=fix)


CHECKS: Final = (
    beside_another,
    moving_tags,
    image_parts,
    ingress,
    egress_gateway,
    service_names,
    flb,
    fluent_bit,
    grafana,
)
