"""What the checks look at: a pod of any shape, read as far as it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fsm_stack.injector.annotations import keys_of
from fsm_stack.injector.decision import is_virtual_machine
from fsm_stack.injector.go_values import atoi, is_cidr, trim
from fsm_stack.lists import POD_LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.lists import Holds, ListName, Lists
    from fsm_stack.yaml import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRanges:
    """Addresses whose traffic is the mesh's own, and what pods may take out of it.

    Attributes:
        pods: IPv4 CIDRs.
        services: IPv4 CIDRs.
        api_server: its address as a CIDR; excluding it is fine.
        registered: the entries that pods may carry, by namespace, under "" those of all; None:
            the stack does not guard them.
    """

    pods: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    api_server: str = ""
    registered: Mapping[str, Lists] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pod under the checks.

    Attributes:
        pod: the manifest as given.
        metadata: its metadata; empty where it has none, or no object there.
        spec: the same.
        annotations: every key that is text, with its value of any type.
        mesh: whose injector.
        namespace: where the pod is created.
        mutation: what the injector makes of it; None: left alone, refused or not asked.
        left_alone: the injector, or the webhook before it, decides against the pod.
        ranges: the cluster's.
    """

    pod: Mapping[str, Any]
    metadata: Json
    spec: Json
    annotations: Json
    mesh: MeshView
    namespace: NamespaceView
    mutation: Mutation | None = None
    left_alone: bool = False
    ranges: ClusterRanges = field(default_factory=ClusterRanges)

    @classmethod
    def of(
        cls,
        pod: Mapping[str, Any],
        *,
        mesh: MeshView,
        namespace: NamespaceView,
        mutation: Mutation | None = None,
        left_alone: bool = False,
        ranges: ClusterRanges | None = None,
    ) -> Subject:
        """The subject of a manifest; parts of a wrong type count as absent."""
        metadata = _object(pod.get("metadata"))
        annotations = _object(metadata.get("annotations"))
        return cls(
            pod=pod,
            metadata=metadata,
            spec=_object(pod.get("spec")),
            annotations={key: value for key, value in annotations.items() if type(key) is str},
            mesh=mesh,
            namespace=namespace,
            mutation=mutation,
            left_alone=left_alone,
            ranges=ranges or ClusterRanges(),
        )

    @property
    def machine(self) -> bool:
        """Whether it is a virtual machine, which gets a label and nothing else."""
        return is_virtual_machine(self.pod)

    @property
    def injected(self) -> bool:
        """Whether the pod comes out of an earlier injection."""
        return self.mutation is not None and self.mutation.reinjected

    @property
    def carries(self) -> bool:
        """Whether the pod has the mesh's containers already, a live pod for example."""
        system = self.mesh.system
        pairs = (
            ("initContainers", system.init_container),
            ("containers", system.sidecar_container),
        )
        return self.injected or all(
            any(item.get("name") == name for _, item in self.items(part)) for part, name in pairs
        )

    @property
    def controller(self) -> str:
        """The kind of what controls the pod; "" for a pod that nothing controls."""
        owners = self.metadata.get("ownerReferences")
        for owner in owners if type(owners) is list else ():
            if type(owner) is dict and owner.get("controller") is True:
                return str(owner.get("kind"))
        return ""

    def items(self, name: str) -> Iterator[tuple[str, Json]]:
        """The objects in a list of the specification, each with its path."""
        values = self.spec.get(name)
        for index, value in enumerate(values if type(values) is list else ()):
            if type(value) is dict:
                yield f"spec.{name}[{index}]", value

    def parts(self, key: str) -> tuple[str, ...]:
        """The comma-separated parts of an annotation, trimmed as the injector trims them."""
        value = self.annotations.get(key)
        return tuple(trim(part) for part in value.split(",")) if type(value) is str else ()

    def own(self, name: ListName) -> tuple[Any, ...]:
        """The entries of one of the pod's lists that the injector takes."""
        parts = self.parts(self.key(name))
        if name.holds != "ports":
            return tuple(part for part in parts if is_cidr(part))
        return tuple(port for port in map(atoi, parts) if port is not None and port > 0)

    def key(self, name: ListName) -> str:
        """The annotation that carries a list."""
        return self.mesh.system.annotation(name.annotation)

    def lists(self, holds: Holds | None = None) -> Iterator[tuple[ListName, str]]:
        """The lists that pods have, or those of one kind, each with its annotation."""
        for name, key in zip(POD_LISTS, keys_of(self.mesh.system).lists, strict=True):
            if holds is None or name.holds == holds:
                yield name, key

    def given(self) -> list[str]:
        """The annotations that carry lists and are there, whatever their values."""
        return [key for _, key in self.lists() if key in self.annotations]


def _object(value: object) -> Json:
    return value if type(value) is dict else {}


def annotation_path(key: str) -> str:
    """The path of an annotation in a pod."""
    return f"metadata.annotations.{key}"
