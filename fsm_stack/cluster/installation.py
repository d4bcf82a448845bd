"""An installation as a cluster holds it: mesh, Helm's release, namespaces; the cluster itself.

Helm keeps what a release was installed with in Secrets; they are read because the user asks for
it here, and by nothing else of this package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.cluster.api import Refused
from fsm_stack.cluster.read import OWNER_KINDS, policy_version
from fsm_stack.convert.initial import Facts, collapsed
from fsm_stack.convert.remains import (
    WEBHOOKS,
    Remains,
    answers,
    labels_of_systems,
    leading,
    places_of,
)
from fsm_stack.convert.result import at
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.manifests.canary import plural_of
from fsm_stack.snapshot.programs import POLICY_KINDS
from fsm_stack.snapshot.shape import texts
from fsm_stack.snapshot.snapshot import IN_CLUSTER
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import CANARY_KINDS, CANARY_LABEL
from fsm_stack.yaml.decode import DecodeError, decode_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.cluster.api import Cluster
    from fsm_stack.manifests.manifest import Key, Manifest
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


def read_installation(
    cluster: Cluster,
    *,
    namespace: str | None = None,
    systems: Iterable[System] = SYSTEMS.values(),
) -> dict[str, Json]:
    """The objects that say how a mesh was installed, and what runs, by their names for people.

    Args:
        cluster: the connection.
        namespace: the control plane's; None: where the MeshConfig is.
        systems: whose.

    Raises:
        CouldNotCheckError: the account may not read a MeshConfig.
    """
    wanted = tuple(systems)
    found: dict[str, Json] = {}
    places: dict[str, None] = {namespace: None} if namespace else {}
    for version in dict.fromkeys(one.mesh_config_api_version for one in wanted):
        for item in _list(cluster, f"/apis/{version}/meshconfigs", version, "MeshConfig"):
            place = str(at(item, "metadata.namespace") or "")
            if namespace in {None, place}:
                places[place] = None
                found[f"MeshConfig {place}/{at(item, 'metadata.name')}"] = item
    for place in places:
        for secret in _records(cluster, place):
            found[f"Secret {place}/{at(secret, 'metadata.name')}"] = secret
    for hook in read_webhooks(cluster):
        found[f"{hook['kind']} {at(hook, 'metadata.name')}"] = hook
    for label in dict.fromkeys(one.monitored_by_label for one in wanted):
        for item in _list(cluster, "/api/v1/namespaces", "v1", "Namespace", label):
            found[f"Namespace {at(item, 'metadata.name')}"] = item
    return found


def _records(cluster: Cluster, place: str) -> Iterator[Json]:
    """Helm's records of a namespace."""
    path = f"/api/v1/namespaces/{place}/secrets"
    try:
        for item in cluster.pages(path, labelSelector="owner=helm"):
            yield {**item, "apiVersion": "v1", "kind": "Secret"}
    except Refused as refused:
        if not refused.absent:
            raise CouldNotCheckError(f"Helm's releases: not read: {refused}") from None


def _list(cluster: Cluster, path: str, version: str, kind: str, label: str = "") -> list[Json]:
    query = {"labelSelector": label} if label else {}
    try:
        return [
            {**item, "apiVersion": version, "kind": kind} for item in cluster.pages(path, **query)
        ]
    except Refused as refused:
        if refused.absent:
            return []
        raise CouldNotCheckError(f"{kind}: not read: {refused}") from None


# Where each kind of a stack's objects is served. Source: Kubernetes' API reference.
_PLURALS: Final = {
    "Namespace": "namespaces",
    "CustomResourceDefinition": "customresourcedefinitions",
    "MeshConfig": "meshconfigs",
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ConfigMap": "configmaps",
    "IngressClass": "ingressclasses",
    "Service": "services",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    **POLICY_KINDS,
    "Deployment": "deployments",
    "DaemonSet": "daemonsets",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets",
}


def read_objects(cluster: Cluster, manifests: Iterable[Manifest]) -> dict[Key, Json]:
    """The objects of a cluster that stand where a stack declares its own.

    Raises:
        CouldNotCheckError: the account may not read one.
    """
    found: dict[Key, Json] = {}
    for manifest in manifests:
        prefix = "/apis/" if "/" in manifest.api_version else "/api/"
        inside = f"/namespaces/{manifest.namespace}" if manifest.namespace else ""
        path = f"{prefix}{manifest.api_version}{inside}/{_PLURALS[manifest.kind]}/{manifest.name}"
        try:
            item = cluster.read(path)
        except Refused as refused:
            if not refused.absent:
                raise CouldNotCheckError(f"{manifest.slug}: not read: {refused}") from None
        else:
            found[manifest.key] = item
    return found


def read_annotations(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, dict[str, str]]:
    """The annotations of the pods of namespaces, by namespace and name; nothing else of them."""
    found: dict[str, dict[str, str]] = {}
    for namespace in namespaces:
        for item in _tolerant(cluster, f"/api/v1/namespaces/{namespace}/pods"):
            about = item.get("metadata") or {}
            found[f"{namespace}/{about.get('name')}"] = texts(about.get("annotations"))
    return found


def read_facts(cluster: Cluster) -> Facts:
    """What identifies a cluster, and its ranges, from whatever of it says so.

    Kubernetes has no one place for its ranges. ServiceCIDRs and the nodes' own ranges come first;
    what kubeadm keeps says the whole of the pods' range, where nodes only have parts of it.
    """
    sources: dict[str, str] = {}
    unknown: list[str] = []
    uid = str(at(_one(cluster, "/api/v1/namespaces/kube-system", unknown), "metadata.uid") or "")
    version = _one(cluster, "/version", unknown)
    minor = re.match(r"\d+", str(version.get("minor", "")))
    release = f"{version.get('major')}.{minor[0]}" if minor and version.get("major") else ""
    service = _one(cluster, "/api/v1/namespaces/default/services/kubernetes", unknown)
    address, ports = at(service, "spec.clusterIP"), at(service, "spec.ports")
    port = ports[0].get("port") if isinstance(ports, list) and ports else 443
    pods, services = _ranges(cluster, sources)
    for name, known in (("pod", pods), ("service", services)):
        if not known:
            unknown.append(
                f"cluster.{name}Ranges: nothing in the cluster tells the range; until it is "
                "written checks assume the usual one"
            )
    sources |= {
        "cluster.context": "the kubeconfig's",
        "cluster.uid": "of namespace kube-system",
        "cluster.kubernetesVersion": "/version",
        "cluster.apiServer": "Service default/kubernetes",
        "cluster.openshift": _OPENSHIFT,
    }
    return Facts(
        context="" if cluster.context == IN_CLUSTER else cluster.context,
        uid=uid,
        kubernetes_version=release,
        openshift=bool(_one(cluster, _OPENSHIFT, [])),
        pod_ranges=pods,
        service_ranges=services,
        api_server=(address, port) if isinstance(address, str) and isinstance(port, int) else None,
        sources=sources,
        unknown=tuple(unknown),
    )


def _ranges(cluster: Cluster, sources: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kubeadm = _kubeadm(cluster)
    pods = collapsed(str(kubeadm.get("podSubnet") or "").split(","))
    services = collapsed(str(kubeadm.get("serviceSubnet") or "").split(","))
    told = "ConfigMap kube-system/kubeadm-config"
    sources |= {"cluster.podRanges": told, "cluster.serviceRanges": told}
    if not services:
        items = _tolerant(cluster, "/apis/networking.k8s.io/v1/servicecidrs")
        services = collapsed(one for item in items for one in at(item, "spec.cidrs") or ())
        sources["cluster.serviceRanges"] = "ServiceCIDRs"
    if not pods:
        items = _tolerant(cluster, "/api/v1/nodes")
        pods = collapsed(
            one
            for item in items
            for one in at(item, "spec.podCIDRs") or [at(item, "spec.podCIDR")]
        )
        sources["cluster.podRanges"] = "the nodes' podCIDRs"
    return pods, services


def _kubeadm(cluster: Cluster) -> Json:
    try:
        item = cluster.read("/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
        config = decode_yaml(str(at(item, "data.ClusterConfiguration") or ""))
    except (Refused, DecodeError):
        return {}
    networking = at(config, "networking")
    return networking if isinstance(networking, dict) else {}


def _one(cluster: Cluster, path: str, unknown: list[str]) -> Json:
    try:
        return cluster.read(path)
    except Refused as refused:
        unknown.append(str(refused))
        return {}


def _tolerant(cluster: Cluster, path: str) -> list[Json]:
    try:
        return list(cluster.pages(path))
    except Refused:
        return []


# An OpenShift serves it, and nothing else does.
_OPENSHIFT: Final = "/apis/security.openshift.io/v1"
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


def read_webhooks(cluster: Cluster) -> list[Json]:
    """Every webhook configuration, whole.

    Raises:
        CouldNotCheckError: the account may not read them.
    """
    found: list[Json] = []
    for kind in WEBHOOKS:
        path = f"{_ADMISSION}/{kind.lower()}s"
        found += _list(cluster, path, "admissionregistration.k8s.io/v1", kind)
    return found


def read_leftovers(cluster: Cluster) -> Remains:
    """What may be left of a mesh; of everything but webhooks, the metadata alone.

    Raises:
        CouldNotCheckError: the account may not read it.
    """
    found = Remains(webhooks=read_webhooks(cluster))
    _services(cluster, found)
    for system in labels_of_systems():
        name = f"app.kubernetes.io/name={system.annotation_prefix}"
        version = system.mesh_config_api_version
        found.meshes += [
            (str(at(one, "metadata.namespace")), str(at(one, "metadata.name")))
            for one in _list(cluster, f"/apis/{version}/meshconfigs", version, "MeshConfig")
        ]
        found.pods += _about(cluster, "/api/v1/pods", "Pod", system.proxy_label)
        found.secrets += _about(cluster, "/api/v1/secrets", "Secret", name)
        for kind in ("ClusterRole", "ClusterRoleBinding"):
            found.roles += _about(cluster, f"{_RBAC}/{kind.lower()}s", kind, name)
        for kind, plural in POLICY_KINDS.items():
            found.policies += _about(cluster, f"{_ADMISSION}/{plural}", kind, name)
    found.canaries = [*_canaries(cluster)]
    found.namespaces = _about(cluster, "/api/v1/namespaces", "Namespace", "")
    for place in sorted(places_of(found)):
        records = _about(cluster, f"/api/v1/namespaces/{place}/secrets", "Secret", "")
        known = {
            (at(one, "metadata.namespace"), at(one, "metadata.name")) for one in found.secrets
        }
        found.secrets += [
            one
            for one in records
            if (at(one, "metadata.namespace"), at(one, "metadata.name")) not in known
        ]
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    found.definitions = _about(cluster, path, "CustomResourceDefinition", "")
    return found


def _canaries(cluster: Cluster) -> Iterator[Json]:
    """What canaries made, their metadata alone."""
    try:
        version = policy_version(cluster)
    except Refused as refused:
        raise CouldNotCheckError(f"policies of canaries: not read: {refused}") from None
    if version:
        for kind in CANARY_KINDS:
            yield from _about(cluster, f"/apis/{version}/{plural_of(kind)}", kind, CANARY_LABEL)
    for kind, plural in OWNER_KINDS.items():
        yield from _about(cluster, f"/apis/apps/v1/{plural}", kind, CANARY_LABEL)


def _about(cluster: Cluster, path: str, kind: str, label: str) -> list[Json]:
    query = {"labelSelector": label} if label else {}
    try:
        return [
            {"kind": kind, "metadata": item.get("metadata") or {}}
            for item in cluster.metadata(path, **query)
        ]
    except Refused as refused:
        if refused.absent:
            return []
        raise CouldNotCheckError(f"{kind}: not read: {refused}") from None


def _services(cluster: Cluster, found: Remains) -> None:
    """Which services behind our webhooks are there, and which have a pod that answers."""
    for place, name in leading(found):
        inside = f"/api/v1/namespaces/{place}/services/{name}"
        try:
            cluster.read(inside)
        except Refused as refused:
            if not refused.absent:
                raise CouldNotCheckError(f"Service {place}/{name}: not read: {refused}") from None
            continue
        found.services.add((place, name))
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{place}/endpointslices"
        label = f"kubernetes.io/service-name={name}"
        for item in _list(cluster, slices, "discovery.k8s.io/v1", "EndpointSlice", label):
            if answers(item):
                found.served.add((place, name))
