"""A snapshot: what was read of a cluster, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME
from fsm_stack.snapshot.objects import Pod, pod
from fsm_stack.snapshot.programs import POLICY_KINDS, PROGRAMS, RIGHTS_KINDS, XNETWORK
from fsm_stack.snapshot.shape import mapping, text
from fsm_stack.well_known import CANARY_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


IN_CLUSTER: Final = "in-cluster"
FILES: Final = "files"
NOT_IN_FILES: Final = ": not in files"
ANONYMIZED: Final = "anonymized"
QUOTA_KINDS: Final = frozenset({"ResourceQuota", "LimitRange"})
# What stands for a context's name where there is none.
NO_CONTEXT: Final = frozenset({IN_CLUSTER, FILES, ANONYMIZED})


class Part(StrEnum):
    """What a check may need to have been read."""

    MESH_CONFIG = "MeshConfig"
    REDIRECTION = "ConfigMap fsm-redirection"
    NAMESPACES = "namespaces"
    PODS = "pods"
    OWNERS = "deployments, statefulsets and daemonsets"
    QUOTAS = "resource quotas and limit ranges"
    MUTATING = "mutating webhook configurations"
    VALIDATING = "validating webhook configurations"
    POLICIES = "admission policies of the guard"
    SERVICES = "services of the control plane"
    ENDPOINTS = "endpoint slices of the control plane"
    CONTROL_PLANE = "deployments of the control plane"
    LOGS = "logs of init containers that failed"
    PROGRAM_PODS = "pods of the control plane"
    PROGRAM_LOGS = "logs of the control plane"
    EVENTS = "events"
    RIGHTS = "roles of the control plane"
    CANARIES = "policies of canaries"
    DAEMONS = "daemonsets of the control plane"
    INGRESS_CLASSES = "ingress classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a snapshot comes from.

    Attributes:
        context: the kubeconfig's context; ``files`` where none was asked.
        server: the API server's address; the files' names.
        uid: of namespace kube-system, which identifies a cluster; empty: unknown.
        taken: when, as text; empty: now.
    """

    context: str
    server: str = ""
    uid: str = ""
    taken: str = ""

    @property
    def kubectl_context(self) -> str:
        """The name that kubectl knows the cluster by; empty: none does."""
        return "" if self.context in NO_CONTEXT else self.context


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The plain value that checks read.

    Attributes:
        source: which cluster, or which files.
        read: the parts that were read, also where there was nothing.
        not_read: the parts that were not, each with the reason.
        mesh_configs: every MeshConfig.
        redirection: ConfigMap ``fsm-redirection``; None: there is none.
        namespaces: by name.
        pods: of the enrolled namespaces, or the asked ones.
        owners: Deployments, StatefulSets and DaemonSets that own pods, by kind, namespace, name;
            of files also ReplicaSets, Jobs and CronJobs.
        mutating: webhook configurations.
        validating: webhook configurations.
        policies: the guard's admission policies and bindings, by kind and name.
        services: by namespace and name.
        endpoints: EndpointSlices.
        programs: the control plane's Deployments, by namespace and name.
        logs: the last lines of init containers that failed, by pod key.
        program_pods: of the control plane.
        program_logs: the telling lines of its containers that are not ready, by pod key and name.
        events: warnings about what does not run.
        rights: roles, their bindings and accounts of the control plane, by kind, namespace, name.
        quotas: ResourceQuotas and LimitRanges, by kind, namespace and name.
        canaries: the policies of canaries, and their bindings.
        ingress_classes: the mesh's own, by name.
        texts: logs and errors that were pasted, each with the name of its file.
        passed_over: what was given and no check reads, each with the reason.
    """

    source: Source
    read: frozenset[Part] = frozenset()
    not_read: Mapping[Part, str] = field(default_factory=dict)
    mesh_configs: tuple[Json, ...] = ()
    redirection: Json | None = None
    namespaces: Mapping[str, Json] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    owners: Mapping[tuple[str, str, str], Json] = field(default_factory=dict)
    mutating: tuple[Json, ...] = ()
    validating: tuple[Json, ...] = ()
    policies: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    services: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    endpoints: tuple[Json, ...] = ()
    programs: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    program_pods: tuple[Pod, ...] = ()
    program_logs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    events: tuple[Json, ...] = ()
    rights: Mapping[tuple[str, str, str], Json] = field(default_factory=dict)
    quotas: Mapping[tuple[str, str, str], Json] = field(default_factory=dict)
    canaries: tuple[Json, ...] = ()
    ingress_classes: Mapping[str, Json] = field(default_factory=dict)
    texts: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[str, ...] = ()

    def unread(self, part: Part) -> str:
        """Why a part is not, or not wholly, known; empty: it is."""
        if part in self.read:
            return self.not_read.get(part, "")
        if known := self.not_read.get(part):
            return known
        where = self.source.context
        if where == FILES:
            return f"{part.value}{NOT_IN_FILES}"
        return f"{part.value}: not read of context {where}"

    def mesh_config(self, system: System, namespace: str) -> Json | None:
        """The MeshConfig that this system's programs read."""
        for item in self.mesh_configs:
            about = item.get("metadata") or {}
            place = about.get("namespace")
            if about.get("name") == system.mesh_config_name and (
                place is None or place == namespace
            ):
                return item
        return None


_LISTED = (
    "MeshConfig",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    *POLICY_KINDS,
    "EndpointSlice",
    "Event",
    *CANARY_KINDS,
    "IngressClass",
)
_PART_OF_KIND = {
    "Pod": Part.PODS,
    "Namespace": Part.NAMESPACES,
    "MeshConfig": Part.MESH_CONFIG,
    "MutatingWebhookConfiguration": Part.MUTATING,
    "ValidatingWebhookConfiguration": Part.VALIDATING,
    "Service": Part.SERVICES,
    "EndpointSlice": Part.ENDPOINTS,
    "Event": Part.EVENTS,
    **dict.fromkeys(RIGHTS_KINDS, Part.RIGHTS),
    **dict.fromkeys(POLICY_KINDS, Part.POLICIES),
    **dict.fromkeys(QUOTA_KINDS, Part.QUOTAS),
    **dict.fromkeys(CANARY_KINDS, Part.CANARIES),
    "IngressClass": Part.INGRESS_CLASSES,
}
OWNER_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
# Of these a file may hold one that somebody pasted; they do not say that all owners were read.
_ALONE = frozenset({"ReplicaSet", "Job", "CronJob"})


class Assembly:
    """Collects objects, one after the other, into a snapshot."""

    def __init__(self) -> None:
        self._parts: set[Part] = set()
        self._pods: dict[str, Pod] = {}
        self._lists: dict[str, dict[tuple[str, str], Json]] = {kind: {} for kind in _LISTED}
        self._namespaces: dict[str, Json] = {}
        self._owners: dict[tuple[str, str, str], Json] = {}
        self._services: dict[tuple[str, str], Json] = {}
        self._programs: dict[tuple[str, str], Json] = {}
        self._logs: dict[str, str] = {}
        self._program_logs: dict[tuple[str, str], str] = {}
        self._rights: dict[tuple[str, str, str], Json] = {}
        self._quotas: dict[tuple[str, str, str], Json] = {}
        self._redirection: Json | None = None
        self._by_key = {
            **dict.fromkeys(RIGHTS_KINDS, self._rights),
            **dict.fromkeys(QUOTA_KINDS, self._quotas),
            **dict.fromkeys(_ALONE, self._owners),
        }

    def add(self, item: Json) -> None:
        """Take one object, as :func:`fsm_stack.snapshot.allow.keep` leaves it."""
        kind = str(item.get("kind"))
        about = mapping(item.get("metadata"))
        place, name = str(about.get("namespace") or ""), str(about.get("name") or "")
        if (part := _PART_OF_KIND.get(kind)) is not None:
            self._parts.add(part)
        match kind:
            case "Pod":
                self._add_pod(item)
            case "Namespace":
                self._namespaces[name] = item
            case "ConfigMap" if name == CONFIG_MAP_NAME:
                self._parts.add(Part.REDIRECTION)
                self._redirection = item
            case "Service":
                self._services[place, name] = item
            case "PodLog":
                self._add_log(item, f"{place}/{name}")
            case _ if (store := self._by_key.get(kind)) is not None:
                store[kind, place, name] = item
            case _ if kind in self._lists:
                self._lists[kind][place, name] = item
            case _ if kind in OWNER_KINDS:
                self._add_owner(item, kind, place, name)

    def _add_pod(self, item: Json) -> None:
        known = pod(item)
        self._pods[known.key] = known
        if known.program:
            self._parts.add(Part.PROGRAM_PODS)

    def _add_log(self, item: Json, key: str) -> None:
        words = str(item.get("text") or "")
        if container := text(item.get("container")):
            before = self._program_logs.get((key, container))
            self._program_logs[key, container] = f"{before}\n{words}" if before else words
        else:
            self._logs[key] = words

    def _add_owner(self, item: Json, kind: str, place: str, name: str) -> None:
        if kind == "Deployment" and name in PROGRAMS:
            self._parts.add(Part.CONTROL_PLANE)
            self._programs[place, name] = item
        elif kind == "DaemonSet" and name == XNETWORK:
            self._parts.add(Part.DAEMONS)
        else:
            self._parts.add(Part.OWNERS)
        self._owners[kind, place, name] = item

    def snapshot(
        self,
        source: Source,
        *,
        read: Iterable[Part] = (),
        not_read: Mapping[Part, str] | None = None,
    ) -> Snapshot:
        """What was collected.

        Args:
            source: where from.
            read: parts that were read and may have been empty.
            not_read: parts that were not.
        """
        pods = tuple(self._pods[key] for key in sorted(self._pods))
        return Snapshot(
            source=source,
            read=frozenset({*self._parts, *read}),
            not_read=dict(not_read or {}),
            mesh_configs=tuple(self._lists["MeshConfig"].values()),
            redirection=self._redirection,
            namespaces=self._namespaces,
            pods=pods,
            owners=self._owners,
            mutating=tuple(self._lists["MutatingWebhookConfiguration"].values()),
            validating=tuple(self._lists["ValidatingWebhookConfiguration"].values()),
            policies={
                (kind, name): item
                for kind in POLICY_KINDS
                for (_, name), item in self._lists[kind].items()
            },
            services=self._services,
            endpoints=tuple(self._lists["EndpointSlice"].values()),
            programs=self._programs,
            logs=self._logs,
            program_pods=tuple(pod for pod in pods if pod.program),
            program_logs=self._program_logs,
            events=tuple(self._lists["Event"].values()),
            rights=self._rights,
            quotas=self._quotas,
            canaries=tuple(one for kind in CANARY_KINDS for one in self._lists[kind].values()),
            ingress_classes={
                name: item for (_, name), item in self._lists["IngressClass"].items()
            },
        )


def with_annotations(snapshot: Snapshot, annotations: Mapping[str, str]) -> Snapshot:
    """The snapshot with annotations that were printed apart from their pod.

    Raises:
        InputError: it does not hold exactly one pod.
    """
    if len(snapshot.pods) != 1:
        raise InputError(
            f"annotations without a pod's name: expected 1 pod, got {len(snapshot.pods)}"
        )
    only = snapshot.pods[0]
    told = replace(only, annotations=dict(annotations), cut=False, unannotated=False)
    return replace(snapshot, pods=(told,))
