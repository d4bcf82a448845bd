"""Checks of the programs beside the control plane: what they need, and what excludes another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.well_known import FLB_LABEL

if TYPE_CHECKING:
    from datetime import date

    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path


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


CHECKS: Final = (
    ingress,
    egress_gateway,
    service_names,
    flb,
    fluent_bit,
    grafana,
)
