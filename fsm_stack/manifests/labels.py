"""Names and labels that the objects of the control plane share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_stack.settings.stack import StackSettings

# The chart names its account and cluster role after the Helm release; `fsm` is the release name of
# `fsm install` for the default mesh, and of every document. Source: charts/fsm fsm-rbac.yaml.
RELEASE: Final = "fsm"

BOOTSTRAP: Final = "fsm-bootstrap"
CONTROLLER: Final = "fsm-controller"
INJECTOR: Final = "fsm-injector"
VALIDATOR: Final = "fsm-validator"

# Ports of the programs. Source: flomesh-io/fsm pkg/constants and the chart's Deployments.
ADMIN_PORT: Final = 15000
DNS_PROXY_PORT: Final = 15053
DEBUG_PORT: Final = 9092
HEALTH_PORT: Final = 9091
INJECTOR_PORT: Final = 9090
VALIDATOR_PORT: Final = 9093
WEBHOOK_PORT: Final = 9443


def version_label(settings: StackSettings) -> str:
    """The release as FSM writes it in labels and ``--fsm-version``: ``v1.5.1``."""
    return f"v{settings.fsm_version}"


def common_labels(settings: StackSettings) -> dict[str, str]:
    """The labels of every object; source: the chart's helper ``fsm.labels``.

    The release is known for FSM only: the other systems are installed by their own tools.
    """
    labels = {
        "app.kubernetes.io/name": settings.profile.annotation_prefix,
        "app.kubernetes.io/instance": settings.mesh_name,
    }
    if settings.profile.declares_control_plane:
        labels["app.kubernetes.io/version"] = version_label(settings)
    return labels


def metadata(
    settings: StackSettings, name: str, *, app: str | None = None, namespaced: bool = True
) -> dict[str, Any]:
    """The metadata of one object: name, namespace where it has one, labels."""
    labels = common_labels(settings)
    if app is not None:
        labels["app"] = app
    place = {"namespace": settings.namespace} if namespaced else {}
    return {"name": name, **place, "labels": labels}
