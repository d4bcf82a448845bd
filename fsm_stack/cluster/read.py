"""What ``verify`` reads of a cluster: each part by itself, so that one refusal costs one part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fsm_stack.cluster.api import Refused
from fsm_stack.cluster.programs import (
    OF_PRODUCTS,
    OF_PROGRAMS,
    RIGHTS,
    failed_init,
    init_logs,
    program_logs,
    unwell,
    warnings,
)
from fsm_stack.errors import InputError
from fsm_stack.manifests.canary import BETA, POLICY, STABLE, plural_of
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.objects import owner_of
from fsm_stack.snapshot.programs import POLICY_KINDS
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.snapshot.snapshot import Assembly, Part, Snapshot, Source
from fsm_stack.systems import SYSTEMS
from fsm_stack.verify.drift import unexplained
from fsm_stack.well_known import CANARY_KINDS, CANARY_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsm_stack.cluster.api import Cluster
    from fsm_stack.cluster.subject import Subject
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_APPS: Final = "/apis/apps/v1"
_NETWORKING: Final = "/apis/networking.k8s.io/v1"
OWNER_KINDS: Final = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}


def policy_version(cluster: Cluster) -> str:
    """In which version a cluster serves policies that change what is created; empty: in none.

    Every account may ask that: a cluster without them asks for no right to read them.

    Raises:
        Refused: the server gave no answer that can be used.
    """
    for version in (STABLE, BETA):
        try:
            known = cluster.read(f"/apis/{version}")
        except Refused as refused:
            if not (refused.absent or refused.forbidden):
                raise
            continue
        if any(one.get("kind") == POLICY for one in mappings(known.get("resources"))):
            return version
    return ""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads a cluster into a snapshot.

    Attributes:
        cluster: the connection.
        sink: gets every object that is kept, for a file.
        progress: gets the number of pods so far.
    """

    cluster: Cluster
    sink: Callable[[Json], None] | None = None
    progress: Callable[[int], None] | None = None
    _assembly: Assembly = field(default_factory=Assembly)
    _read: set[Part] = field(default_factory=set)
    _not_read: dict[Part, str] = field(default_factory=dict)
    _pods: int = 0
    _failing: dict[tuple[str, str, str], None] = field(default_factory=dict)

    def uid(self) -> str:
        """The cluster's identity; empty: the account may not read it."""
        try:
            found = self.cluster.read("/api/v1/namespaces/kube-system")
        except Refused:
            return ""
        return text(mapping(found.get("metadata")).get("uid"))

    def snapshot(
        self,
        *,
        systems: Iterable[System] = SYSTEMS.values(),
        namespace: str | None = None,
        declared: Iterable[str] = (),
        rights: Iterable[tuple[str, str, str]] = (),
        asked: Subject | None = None,
        uid: str = "",
        taken: str = "",
    ) -> Snapshot:
        """Read everything that checks need.

        Args:
            systems: whose MeshConfigs are looked for.
            namespace: the control plane's; None: where the MeshConfig is found.
            declared: namespaces that should be in the mesh, whatever their labels say.
            rights: roles, bindings and accounts that are declared, by kind, namespace, name.
            asked: one pod or owner; None: the pods of every enrolled namespace.
            uid: the cluster's.
            taken: when, as text.
        """
        known = tuple(systems)
        places = {namespace} if namespace else set()
        for item in self._mesh_configs(known):
            places.add(str((item.get("metadata") or {}).get("namespace")))
        for place in sorted(places):
            self._control_plane(place, tuple(rights))
        self._all(Part.MUTATING, f"{_ADMISSION}/mutatingwebhookconfigurations",
                  "MutatingWebhookConfiguration")  # fmt: skip
        self._all(Part.VALIDATING, f"{_ADMISSION}/validatingwebhookconfigurations",
                  "ValidatingWebhookConfiguration")  # fmt: skip
        for kind, plural in POLICY_KINDS.items():
            self._all(Part.POLICIES, f"{_ADMISSION}/{plural}", kind)
        self._all(Part.INGRESS_CLASSES, f"{_NETWORKING}/ingressclasses", "IngressClass")
        self._canaries()
        if asked is None:
            self._namespaces(known, declared)
        else:
            self._one(Part.NAMESPACES, f"/api/v1/namespaces/{asked.namespace}", "Namespace")
            self._of_subject(asked)
        for log in init_logs(self.cluster, self._failing, self._note):
            self._take(log)
        source = Source(
            context=self.cluster.context, server=self.cluster.server, uid=uid, taken=taken
        )
        return self._assembly.snapshot(source, read=self._read, not_read=self._not_read)

    def _canaries(self) -> None:
        """The policies of canaries; a cluster that serves none has no canary of this kind."""
        try:
            version = policy_version(self.cluster)
        except Refused as refused:
            self._note(Part.CANARIES, refused)
            return
        if not version:
            self._read.add(Part.CANARIES)
            return
        for kind in CANARY_KINDS:
            path = f"/apis/{version}/{plural_of(kind)}"
            self._all(Part.CANARIES, path, kind, api_version=version, labelSelector=CANARY_LABEL)

    def _mesh_configs(self, systems: tuple[System, ...]) -> list[Json]:
        versions = dict.fromkeys(system.mesh_config_api_version for system in systems)
        found = []
        for version in versions:
            path = f"/apis/{version}/meshconfigs"
            found += self._all(Part.MESH_CONFIG, path, "MeshConfig", api_version=version)
        return found

    def _control_plane(self, place: str, rights: Iterable[tuple[str, str, str]]) -> None:
        inside = f"namespaces/{place}"
        self._one(Part.REDIRECTION, f"/api/v1/{inside}/configmaps/{CONFIG_MAP_NAME}", "ConfigMap")
        self._all(Part.SERVICES, f"/api/v1/{inside}/services", "Service")
        self._all(Part.ENDPOINTS, f"/apis/discovery.k8s.io/v1/{inside}/endpointslices",
                  "EndpointSlice")  # fmt: skip
        self._all(Part.CONTROL_PLANE, f"{_APPS}/{inside}/deployments", "Deployment")
        self._all(Part.DAEMONS, f"{_APPS}/{inside}/daemonsets", "DaemonSet")
        self._all(Part.PROGRAM_PODS, f"/api/v1/{inside}/pods", "Pod", labelSelector=OF_PROGRAMS)
        self._rights(place, rights)
        self._programs(place)

    def _rights(self, place: str, declared: Iterable[tuple[str, str, str]]) -> None:
        """The roles of an installation, by its label; those declared also without it."""
        for kind, (prefix, plural) in RIGHTS.items():
            path = (
                f"{prefix}/{'' if kind.startswith('Cluster') else f'namespaces/{place}/'}{plural}"
            )
            items = self._all(Part.RIGHTS, path, kind, labelSelector=OF_PRODUCTS)
            if Part.RIGHTS in self._not_read:
                return
            there = {str(mapping(item.get("metadata")).get("name")) for item in items}
            for known, _, name in declared:
                if known == kind and name not in there:
                    self._one(Part.RIGHTS, f"{path}/{name}", kind)

    def _programs(self, place: str) -> None:
        """Why a control plane does not run: nothing where it does."""
        known = self._assembly.snapshot(Source(context=self.cluster.context))
        if not unwell(known, place):
            return
        self._warnings(place)
        pods = tuple(pod for pod in known.program_pods if pod.namespace == place)
        for log in program_logs(self.cluster, pods, self._note):
            self._take(log)

    def _warnings(self, namespace: str, reason: str = "") -> None:
        try:
            for event in warnings(self.cluster, namespace, reason):
                self._take(event)
            self._read.add(Part.EVENTS)
        except Refused as refused:
            self._note(Part.EVENTS, refused)

    def _namespaces(self, systems: tuple[System, ...], declared: Iterable[str]) -> None:
        names: dict[str, None] = {}
        for label in dict.fromkeys(system.monitored_by_label for system in systems):
            items = self._all(
                Part.NAMESPACES, "/api/v1/namespaces", "Namespace", labelSelector=label
            )
            names |= {str((item.get("metadata") or {}).get("name")): None for item in items}
        for name in declared:
            if name not in names:  # it lost its label, or is not there
                self._one(Part.NAMESPACES, f"/api/v1/namespaces/{name}", "Namespace")
                names[name] = None
        for name in names:
            self._inside(name)
        if names:
            return
        if Part.NAMESPACES in self._read:
            self._read |= {Part.PODS, Part.OWNERS, Part.QUOTAS}
        else:
            why = "not read: which namespaces are in the mesh is unknown"
            self._not_read |= {Part.PODS: why, Part.OWNERS: why, Part.QUOTAS: why}

    def _inside(self, namespace: str) -> None:
        self._all(Part.PODS, f"/api/v1/namespaces/{namespace}/pods", "Pod")
        self._quotas(namespace)
        lacks = False
        for kind, plural in OWNER_KINDS.items():
            items = self._all(Part.OWNERS, f"{_APPS}/namespaces/{namespace}/{plural}", kind)
            lacks = lacks or any(unexplained(kind, item) for item in items)
        if lacks:
            self._warnings(namespace, "FailedCreate")

    def _quotas(self, namespace: str) -> None:
        for plural, kind in (("resourcequotas", "ResourceQuota"), ("limitranges", "LimitRange")):
            self._all(Part.QUOTAS, f"/api/v1/namespaces/{namespace}/{plural}", kind)

    def _of_subject(self, asked: Subject) -> None:
        inside = f"namespaces/{asked.namespace}"
        if asked.kind in {"Namespace", "ReplicaSet", "Job"}:  # of the two, pods and owners suffice
            self._inside(asked.namespace)
            return
        self._quotas(asked.namespace)
        if asked.kind == "Pod":
            found = self._one(Part.PODS, f"/api/v1/{inside}/pods/{asked.name}", "Pod")
            if found is None and Part.PODS not in self._not_read:
                raise InputError(f"{asked}: there is no such pod")
            self._owner_of(found or {}, inside)
            return
        plural = OWNER_KINDS[asked.kind]
        owner = self._one(Part.OWNERS, f"{_APPS}/{inside}/{plural}/{asked.name}", asked.kind,
                          whole=True)  # fmt: skip
        if owner is None and Part.OWNERS not in self._not_read:
            raise InputError(f"{asked}: there is no such {asked.kind}")
        selector = mapping(mapping((owner or {}).get("spec")).get("selector"))
        labels = texts(selector.get("matchLabels"))
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        self._all(Part.PODS, f"/api/v1/{inside}/pods", "Pod", **(query if labels else {}))
        if owner is not None and unexplained(asked.kind, owner):
            self._warnings(asked.namespace, "FailedCreate")

    def _owner_of(self, pod: Json, inside: str) -> None:
        owner = owner_of(mapping(pod.get("metadata")))
        if owner is not None and owner.kind in OWNER_KINDS:
            path = f"{_APPS}/{inside}/{OWNER_KINDS[owner.kind]}/{owner.name}"
            self._one(Part.OWNERS, path, owner.kind)
        else:  # a pod of its own, or a job's: there is no template to read
            self._read.add(Part.OWNERS)

    def _one(self, part: Part, path: str, kind: str, *, whole: bool = False) -> Json | None:
        """One object; None: it is not there, or was refused."""
        try:
            item = self.cluster.read(path)
        except Refused as refused:
            if refused.absent:
                self._read.add(part)
            else:
                self._note(part, refused)
            return None
        self._read.add(part)
        kept = self._take({**item, "kind": kind})
        return item if whole else kept

    def _all(
        self, part: Part, path: str, kind: str, *, api_version: str = "", **query: str
    ) -> list[Json]:
        found: list[Json] = []
        try:
            for item in self.cluster.pages(path, **query):
                kept = self._take(
                    {**item, "kind": kind, "apiVersion": api_version or item.get("apiVersion")}
                )
                if kept is not None and part is not Part.PODS:
                    found.append(kept)
        except Refused as refused:
            if not refused.absent:
                self._note(part, refused)
                return found
        self._read.add(part)
        return found

    def _note(self, part: Part, refused: Refused) -> None:
        before = self._not_read.get(part)
        text = f"not read: {refused}"
        self._not_read[part] = f"{before}; {text}" if before and text not in before else text

    def _take(self, item: Json) -> Json | None:
        # A pod becomes a value that has the kept fields only; it is pruned to be saved.
        kept = item if self.sink is None and item["kind"] == "Pod" else keep(item)
        if kept is None:
            return None
        if kept["kind"] == "Pod":
            self._pods += 1
            if self.progress is not None and not self._pods % 500:
                self.progress(self._pods)
            for failed in failed_init(kept):
                self._failing[failed] = None
        self._assembly.add(kept)
        if self.sink is not None:
            self.sink(kept)
        return kept
