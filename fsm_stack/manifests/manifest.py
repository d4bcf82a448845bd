"""One Kubernetes object of a stack, its names and labels, and what its declarers have to know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.settings.models.stack import StackSettings

Key: TypeAlias = tuple[str, str, str]
"""Kind, namespace (or an empty string) and name of an object."""


class Wave(IntEnum):
    """The order of creation; deletion runs backwards.

    Enrolled namespaces come last: destroying a stack un-enrols them first, so that no webhook with
    ``failurePolicy: Fail`` is ever left over live namespaces without its server.
    """

    NAMESPACE = 0
    CRD = 1  # and the guard, whose rules a change of the MeshConfig meets
    MESH_CONFIG = 2
    FOUNDATION = 3  # accounts, roles, ConfigMaps, Secrets, Services
    WEBHOOK = 4  # before injector and controller, which would otherwise create them first
    CONTROL_PLANE = 5
    ENROLMENT = 6


# On a pod template: the UIDs of the objects whose new making its pods have to follow.
FOLLOWED: Final = "fsm-stack.flomesh.io/follows"


class Part(StrEnum):
    """The component of the stack that an object belongs to."""

    CONTROL_PLANE = "control-plane"
    MESH_CONFIG = "mesh-config"
    INJECTOR_WEBHOOK = "injector-webhook"
    GUARD = "guard"
    OBSERVABILITY = "observability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object.

    Attributes:
        object: the object as it is sent: JSON types only, keys in the order of reading.
        part: the component that declares it.
        wave: when it is created.
        foreign_paths: fields that others write on purpose, as Pulumi property paths
            (``webhooks[*].clientConfig.caBundle``): ignored in updates, expected in drift.
        patch: the object exists and belongs to others; only the fields here are ours.
        repeats: fields that say once more what the MeshConfig says, as Pulumi property paths: a
            difference need not be shown there again.
        retain: keep the object in the cluster when the stack is destroyed.
        restarts_with: keys of other objects; when one of them is made anew, the pods of this one
            have to start anew. Only what makes the objects knows when that is.
    """

    object: Mapping[str, Any]
    part: Part
    wave: Wave
    foreign_paths: tuple[str, ...] = ()
    patch: bool = False
    repeats: tuple[str, ...] = ()
    retain: bool = False
    restarts_with: tuple[Key, ...] = ()

    @property
    def api_version(self) -> str:
        """``group/version``, or ``v1``."""
        return str(self.object["apiVersion"])

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.object["kind"])

    @property
    def name(self) -> str:
        """The object's ``metadata.name``."""
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        """The object's namespace; None for cluster-wide objects."""
        namespace = self.object["metadata"].get("namespace")
        return None if namespace is None else str(namespace)

    @property
    def key(self) -> Key:
        """Unique in a bundle."""
        return (self.kind, self.namespace or "", self.name)

    @property
    def slug(self) -> str:
        """A stable, readable name for resources and files: ``deployment-fsm-injector``."""
        return f"{self.kind.lower()}-{self.name}"


# Annotations that tell Argo CD and Flux how to treat an object: rendered files have them.
_SYNC_ANNOTATIONS: Final = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/")


def without_sync_annotations(item: dict[str, Any]) -> dict[str, Any]:
    """An object of a rendered file as the stack declares it."""
    about = item["metadata"]
    notes = about.get("annotations")
    if not isinstance(notes, dict):
        return item
    kept = {key: value for key, value in notes.items() if not key.startswith(_SYNC_ANNOTATIONS)}
    plain = {key: value for key, value in about.items() if key != "annotations"}
    return {**item, "metadata": {**plain, "annotations": kept} if kept else plain}


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
