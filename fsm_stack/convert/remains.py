"""What a cluster may hold of a mesh that was removed, told apart from what is others'."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fsm_stack.convert.chart.release import is_release, read_release
from fsm_stack.errors import InputError
from fsm_stack.snapshot.programs import NAME_LABEL, POLICY_KINDS
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import CANARY_LABEL, GATEWAY_MUTATING_WEBHOOK, GATEWAY_VALIDATING_WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.systems import System
    from fsm_stack.yaml import Json

WEBHOOKS: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
ROLES: Final = ("ClusterRoleBinding", "ClusterRole")
# fsm-bootstrap puts its label on CRDs of others, too: FSM's own are told by their group.
GROUPS: Final = tuple(dict.fromkeys(one.annotation_prefix for one in SYSTEMS.values()))
_GATEWAYS: Final = (GATEWAY_MUTATING_WEBHOOK, GATEWAY_VALIDATING_WEBHOOK)
_PROXIES: Final = frozenset(one.proxy_label for one in SYSTEMS.values())


@dataclass(slots=True, kw_only=True)
class Remains:
    """What a cluster may hold of a mesh; objects may lack all but their metadata.

    Attributes:
        webhooks: configurations, whole.
        services: namespaces and names of every Service that a webhook leads to and that is there.
        served: those of them that have a pod that answers.
        namespaces: Namespaces with a label or annotation of a mesh.
        pods: with a proxy's label.
        secrets: of a mesh, and Helm's records; of their content nothing is kept but, under
            ``chart``, whose record it is, where a file tells it.
        roles: ClusterRoles and ClusterRoleBindings with a mesh's label.
        policies: admission policies and their bindings with a mesh's label.
        definitions: CustomResourceDefinitions.
        canaries: policies and their bindings, and what makes pods, with a canary's label.
        meshes: namespaces and names of MeshConfigs that are there.
    """

    webhooks: list[Json] = field(default_factory=list)
    services: set[tuple[str, str]] = field(default_factory=set)
    served: set[tuple[str, str]] = field(default_factory=set)
    namespaces: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)
    secrets: list[Json] = field(default_factory=list)
    roles: list[Json] = field(default_factory=list)
    policies: list[Json] = field(default_factory=list)
    definitions: list[Json] = field(default_factory=list)
    canaries: list[Json] = field(default_factory=list)
    meshes: list[tuple[str, str]] = field(default_factory=list)


def service_of(webhook: Json) -> tuple[str, str] | None:
    """Namespace and name of the service behind a webhook; None for a URL."""
    service = mapping(mapping(webhook.get("clientConfig")).get("service"))
    name = text(service.get("name"))
    return (text(service.get("namespace")), name) if name else None


def leading(found: Remains) -> set[tuple[str, str]]:
    """The services behind our webhooks."""
    return {
        service
        for item in found.webhooks
        if is_ours(item)
        for hook in mappings(item.get("webhooks"))
        if (service := service_of(hook)) is not None
    }


def places_of(found: Remains) -> set[str]:
    """The namespaces that a control plane is, or was, in."""
    usual = {system.default_namespace for system in SYSTEMS.values()}
    return usual | {place for place, _ in (*found.meshes, *leading(found))}


def names_of(found: Remains) -> set[str]:
    """The names that a mesh, or its Helm release, has, or usually has."""
    usual = {name for one in SYSTEMS.values() for name in (one.name, one.default_mesh_name)}
    for item in found.namespaces:
        labels = texts(mapping(item.get("metadata")).get("labels"))
        usual |= {labels.get(one.monitored_by_label, "") for one in SYSTEMS.values()}
    return usual - {""}


def _chart(record: Json) -> str:
    """The chart of a record of Helm's; empty: it is none, or does not tell."""
    try:
        return read_release(record, name="").chart if is_release(record) else ""
    except InputError:
        return ""


def is_ours(configuration: Json) -> bool:
    """Whether a webhook configuration is of FSM, osm-edge or OSM."""
    about = mapping(configuration.get("metadata"))
    if about.get("name") in _GATEWAYS:
        return True
    if texts(about.get("labels")).get(NAME_LABEL) in GROUPS:
        return True
    return any(
        text(one.get("name")).startswith(
            (f"{system.name[:3]}-inject.", f"{system.name[:3]}-validator.")
        )
        for one in mappings(configuration.get("webhooks"))
        for system in SYSTEMS.values()
    )


def labels_of_systems() -> tuple[System, ...]:
    """The systems, one for each label of namespaces: OSM and osm-edge share theirs."""
    return tuple({one.monitored_by_label: one for one in SYSTEMS.values()}.values())


def of_objects(items: Iterable[Json]) -> Remains:
    """The same from kubectl's files: what they do not hold counts as absent."""
    found = Remains()
    listed = {
        **dict.fromkeys(WEBHOOKS, found.webhooks),
        **dict.fromkeys(ROLES, found.roles),
        **dict.fromkeys(POLICY_KINDS, found.policies),
        "Namespace": found.namespaces,
        "CustomResourceDefinition": found.definitions,
    }
    for item in items:
        kind, about = text(item.get("kind")), mapping(item.get("metadata"))
        place, name = text(about.get("namespace")), text(about.get("name"))
        if CANARY_LABEL in texts(about.get("labels")) and kind != "Pod":
            found.canaries.append(item)
        elif kind in listed:
            listed[kind].append(item)
        elif kind == "Service":
            found.services.add((place, name))
        elif kind == "EndpointSlice" and answers(item):
            labels = texts(about.get("labels"))
            found.served.add((place, labels.get("kubernetes.io/service-name", "")))
        elif kind == "Pod" and _PROXIES & texts(about.get("labels")).keys():
            found.pods.append(item)
        elif kind == "Secret":
            kept = {key: item.get(key) for key in ("kind", "metadata")}
            found.secrets.append(kept | {"chart": _chart(item)})
        elif kind == "MeshConfig":
            found.meshes.append((place, name))
    return found


def answers(endpoint_slice: Json) -> bool:
    """Whether a pod of an EndpointSlice answers; one that does not say counts as ready."""
    endpoints = mappings(endpoint_slice.get("endpoints"))
    return any(mapping(one.get("conditions")).get("ready") is not False for one in endpoints)
