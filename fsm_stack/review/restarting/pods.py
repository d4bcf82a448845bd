"""Pods of any number of clusters, folded into few groups as they are read; none is kept.

What a pod's script depends on is its four redirection annotations: 500,000 pods have some dozens
of them. An owner keeps its number of pods, how it replaces them, and its labels for budgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.annotations import keys_of
from fsm_stack.injector.decision import (
    NamespaceView,
    assumed_namespace,
    decide,
    namespace_view,
    webhook_skips,
)
from fsm_stack.injector.profile import Refusal
from fsm_stack.review.restarting.waves import Budget
from fsm_stack.snapshot.objects import owner_of
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.snapshot.snapshot import OWNER_KINDS
from fsm_stack.workloads.objects import template_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path

# The values of a pod's redirection annotations, in the injector's order; None: it has none.
Carried = tuple[str | None, ...]

# So much of a service's pods are of owners that restart in one wave.
SHARE: Final = "50%"
_LONE: Final = "Pod"
_OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(slots=True, kw_only=True)
class Owner:
    """What makes pods anew.

    Attributes:
        cluster: the kubeconfig's context; empty: unknown, or the current one.
        namespace: of its pods.
        kind: ``Deployment``; ``Pod`` for a pod of its own.
        name: its name.
        pods: how many of its pods with a sidecar were read, by what they carry.
        others: how many without one were read: a rollout moves them, too.
        replicas: how many it wants; None: it was not read.
        carried: what its template carries; None: it was not read.
        labels: of its pods.
        strategy: ``strategy`` or ``updateStrategy``.
        enrolled: whether pods of its template get a sidecar; None: nothing but its pods tells.
    """

    cluster: str
    namespace: str
    kind: str
    name: str
    pods: dict[Carried, int] = field(default_factory=dict)
    others: int = 0
    replicas: int | None = None
    carried: Carried | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    strategy: Json = field(default_factory=dict)
    enrolled: bool | None = None

    @property
    def title(self) -> str:
        """``shop/Deployment/web``."""
        return f"{self.namespace}/{self.kind}/{self.name}"

    @property
    def count(self) -> int:
        """How many pods restart with it: those that were read, else those that it wants."""
        seen = sum(self.pods.values())
        if seen or self.replicas is None:
            return seen
        return self.replicas if self.enrolled else 0

    @property
    def running(self) -> int:
        """How many of its pods are there, as far as anybody knows: budgets count all of them."""
        return sum(self.pods.values()) + self.others or self.count

    @property
    def size(self) -> int:
        """How many pods its rollout counts with, at most."""
        return max(self.running, self.replicas or 0)

    def next(self) -> Iterator[tuple[Carried, int]]:
        """What its next pods carry, each with their number: of the template where it was read."""
        if self.carried is not None:
            if self.count:
                yield self.carried, self.count
            return
        yield from self.pods.items()


class Pods:
    """Collects objects as they come, in any order.

    Args:
        mesh: whose pods: the system's names, the mesh's namespaces.
    """

    def __init__(self, mesh: MeshView) -> None:
        self._mesh = mesh
        self._keys = keys_of(mesh.system).lists
        self._init = mesh.system.init_container
        self.cluster = ""
        self.owners: dict[tuple[str, str, str, str], Owner] = {}
        self.budgets: list[Budget] = []
        self.services: list[Budget] = []
        self._namespaces: dict[tuple[str, str], NamespaceView] = {}
        self._templates: list[tuple[Owner, Json]] = []
        self._passing: list[tuple[Owner, Json]] = []
        self._carried: dict[Carried, Carried] = {}

    def add(self, item: Json) -> None:
        """Take one object; what is neither pods nor about them is left alone."""
        kind = item.get("kind")
        if kind == "Pod":
            self._pod(item)
        elif kind in OWNER_KINDS:
            self._owner(item)
        elif kind == "Namespace":
            view = namespace_view(item)
            self._namespaces[self.cluster, view.name] = view
        elif kind == "PodDisruptionBudget":
            self._budget(item)
        elif kind == "Service":
            self._service(item)
        else:
            for path in template_paths(item):
                self._passes(item, path)

    def _pod(self, item: Json) -> None:
        metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
        if metadata.get("deletionTimestamp") or mapping(item.get("status")).get("phase") in _OVER:
            return
        own = owner_of(metadata)
        name = own.name if own else text(metadata.get("name"))
        owner = self._known(text(metadata.get("namespace")), own.kind if own else _LONE, name)
        if not any(one.get("name") == self._init for one in mappings(spec.get("initContainers"))):
            # A lone pod of a manifest is one that will be made: the webhook decides.
            if own is None and not item.get("status"):
                self._templates.append((owner, item))
                owner.replicas = 1
            else:
                owner.others += 1
            return
        carried = self._carries(metadata)
        owner.pods[carried] = owner.pods.get(carried, 0) + 1
        if not owner.labels:
            owner.labels = texts(metadata.get("labels"))

    def _owner(self, item: Json) -> None:
        metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
        owner = self._known(
            text(metadata.get("namespace")) or "default",
            str(item["kind"]),
            text(metadata.get("name")),
        )
        template = mapping(spec.get("template"))
        about = mapping(template.get("metadata"))
        wanted = spec.get("replicas", 1)
        if item["kind"] == "DaemonSet":  # its nodes are its number, and none is asked for
            wanted = mapping(item.get("status")).get("desiredNumberScheduled", 1)
        owner.replicas = wanted if isinstance(wanted, int) and wanted >= 0 else 1
        owner.carried = self._carries(about)
        owner.labels = texts(about.get("labels")) or owner.labels
        owner.strategy = mapping(spec.get("strategy") or spec.get("updateStrategy"))
        self._templates.append((owner, template))

    def _passes(self, item: Json, path: Path) -> None:
        """What makes pods and is not rolled out: its next ones get the new script anyway."""
        metadata = mapping(item.get("metadata"))
        template: Any = item
        if owner_of(metadata) is not None:
            return  # its owner's template tells
        for step in path:
            template = template[step]  # it was found there
        owner = Owner(
            cluster=self.cluster,
            namespace=text(metadata.get("namespace")) or "default",
            kind=str(item["kind"]),
            name=text(metadata.get("name")),
            carried=self._carries(mapping(template.get("metadata"))),
        )
        self._passing.append((owner, template))

    def _budget(self, item: Json) -> None:
        metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
        bounds = {
            key: value
            for key in ("minAvailable", "maxUnavailable")
            if isinstance(value := spec.get(key), int | str) and not isinstance(value, bool)
        }
        self.budgets.append(
            Budget(
                cluster=self.cluster,
                namespace=text(metadata.get("namespace")) or "default",
                name=text(metadata.get("name")),
                selector=mapping(spec.get("selector")),
                least=bounds.get("minAvailable"),
                most=bounds.get("maxUnavailable"),
            )
        )

    def _service(self, item: Json) -> None:
        metadata, spec = mapping(item.get("metadata")), mapping(item.get("spec"))
        if not texts(spec.get("selector")):
            return  # others make its endpoints
        self.services.append(
            Budget(
                cluster=self.cluster,
                namespace=text(metadata.get("namespace")) or "default",
                name=text(metadata.get("name")),
                selector={"matchLabels": spec["selector"]},
                least=None,
                most=SHARE,
            )
        )

    def _known(self, namespace: str, kind: str, name: str) -> Owner:
        place = intern(namespace or "default")
        key = (self.cluster, place, kind, name)
        if key not in self.owners:
            self.owners[key] = Owner(
                cluster=self.cluster, namespace=place, kind=intern(kind), name=name
            )
        return self.owners[key]

    def _carries(self, metadata: Json) -> Carried:
        annotations = mapping(metadata.get("annotations"))
        carried = tuple(
            value if isinstance(value := annotations.get(key), str) else None for key in self._keys
        )
        return self._carried.setdefault(carried, carried)

    def annotations(self, carried: Carried) -> dict[str, str]:
        """What pods carry, by the annotations' names."""
        return {
            key: value for key, value in zip(self._keys, carried, strict=True) if value is not None
        }

    def finished(self, enrolled: Mapping[str, NamespaceView]) -> Sequence[Owner]:
        """Every owner of pods with a sidecar, once all objects were read.

        Args:
            enrolled: namespaces that the stack itself enrols; others that were not read are
                assumed to be in the mesh.
        """
        for owner, template in self._templates:
            if owner.pods:
                continue  # its pods tell
            owner.enrolled = self._gets_sidecar(template, self._place(owner, enrolled))
            if owner.carried is None:
                owner.carried = self._carries(mapping(template.get("metadata")))
        self._templates.clear()
        return [owner for owner in self.owners.values() if owner.count]

    def carriers(self, enrolled: Mapping[str, NamespaceView]) -> Iterator[tuple[Carried, str]]:
        """What pods with a sidecar carry, and whose they are: those that only come and go, too."""
        for owner in self.finished(enrolled):
            yield from ((carried, owner.title) for carried, _ in owner.next())
        for owner, template in self._passing:
            own = self._gets_sidecar(template, self._place(owner, enrolled))
            if own and owner.carried is not None:
                yield owner.carried, owner.title

    def _place(self, owner: Owner, enrolled: Mapping[str, NamespaceView]) -> NamespaceView:
        return (
            self._namespaces.get((owner.cluster, owner.namespace))
            or enrolled.get(owner.namespace)
            or assumed_namespace(owner.namespace, self._mesh)
        )

    def _gets_sidecar(self, template: Json, place: NamespaceView) -> bool:
        about = mapping(template.get("metadata"))
        if webhook_skips(place, self._mesh) is not None:
            return False
        try:
            decision = decide(
                texts(about.get("annotations")),
                host_network=mapping(template.get("spec")).get("hostNetwork") is True,
                namespace=place,
                mesh=self._mesh,
            )
        except Refusal:
            return False
        return decision.inject
