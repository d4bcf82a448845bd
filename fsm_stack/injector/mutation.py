"""A pod before and after the injector, in parts.

What is the user's stays plain data and is shared with the given pod; what is added is pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.pieces import MARK, Piece, encode
from fsm_stack.injector.pod_fields import mapping, objects, scalar, texts
from fsm_stack.injector.probes import NOTHING, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsm_stack.injector.lists import Interception

Json = dict[str, Any]

_LISTS: Final = ("initContainers", "containers", "volumes")
_MARK_TEXT: Final = encode(MARK)


class Pod:
    """A pod's parts that the mutation reads, their types checked.

    Attributes:
        manifest: the whole object, as given.
        metadata: its metadata, as given.
        spec: its specification, as given.
        annotations: of its metadata.
        host_network: it shares the node's network namespace.
    """

    __slots__ = ("_controller", "annotations", "host_network", "manifest", "metadata", "spec")

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.manifest = manifest
        self.metadata = mapping(manifest.get("metadata"), "Pod.metadata", "v1.ObjectMeta")
        self.spec = mapping(manifest.get("spec"), "Pod.spec", "v1.PodSpec")
        self.annotations = texts(
            self.metadata.get("annotations"), "ObjectMeta.metadata.annotations"
        )
        self.host_network = scalar(self.spec.get("hostNetwork"), bool, "PodSpec.spec.hostNetwork")
        self._controller: tuple[str, str] | None = None

    def controller(self) -> tuple[str, str] | None:
        """The kind and name of what controls the pod; a ReplicaSet stands for its Deployment.

        Raises:
            Refusal: for owners of the wrong type.
        """
        owners = self.metadata.get("ownerReferences")
        if not owners or self._controller:
            return self._controller
        for owner in objects(owners, "ObjectMeta.metadata.ownerReferences", "OwnerReference"):
            if owner.get("controller") is True:
                kind = scalar(owner.get("kind"), str, "OwnerReference.kind")
                name = scalar(owner.get("name"), str, "OwnerReference.name")
                if kind == "ReplicaSet" and "-" in name:
                    kind, name = "Deployment", name.rpartition("-")[0]
                self._controller = (kind, name) if kind or name else None
                break
        return self._controller


@dataclass(slots=True, kw_only=True)
class Mutation:
    """A mutated pod in parts: what is the user's as plain data, what is added as pieces.

    Attributes:
        top: the object as given; metadata and specification take their places in it.
        metadata: with label and annotations.
        spec: with the user's containers, init containers and volumes as they were.
        first: a container before the user's.
        containers: the user's, probes rewritten; None: the specification has no such key.
        last: containers after the user's.
        init_containers: the user's; None: the specification has no such key.
        init: the init container that is added.
        volumes: the user's and the bootstrap's; None: the specification has no such key.
        probes: what the pod's probes were.
        interception: lists and script; None: no init container.
        secret: the name of the Secret that the injector makes; None: none.
        reinjected: the pod had been injected before.
    """

    top: Mapping[str, Any]
    metadata: Json
    spec: Json | None
    first: Piece | None = None
    containers: list[Json] | None = None
    last: tuple[Piece, ...] = ()
    init_containers: list[Json] | None = None
    init: Piece | None = None
    volumes: list[Json] | None = None
    probes: Summary = NOTHING
    interception: Interception | None = None
    secret: str | None = None
    reinjected: bool = False

    def plain(self) -> Json:
        """The pod as plain data; fields that nothing touched are the given pod's own."""
        return self._assembled(Piece.plain)

    def text(self) -> str:
        """The same as compact JSON; the pieces' text is made only once for all pods."""
        pod, pieces = self.marked()
        parts = encode(pod).split(_MARK_TEXT)
        if len(parts) != len(pieces) + 1:  # the user's own text holds the mark
            return encode(self.plain())
        found = [parts[0]]
        for piece, part in zip(pieces, parts[1:], strict=True):
            found.append(piece.text())
            found.append(part)
        return "".join(found)

    def marked(self) -> tuple[Json, list[Piece]]:
        """The pod with :data:`MARK` for each piece, and the pieces in the order of the marks."""
        pieces: list[Piece] = []

        def mark(piece: Piece) -> str:
            pieces.append(piece)
            return MARK

        return self._assembled(mark), pieces

    def ready_count(self) -> int:
        """How many containers kubectl counts in its READY column: native sidecars are among them.

        Source: kubernetes pkg/printers/internalversion, printPod.
        """
        own = len(self.containers or ()) + len(self.last) + (self.first is not None)
        return own + native_sidecars(self.init_containers)

    def _assembled(self, of: Callable[[Piece], Any]) -> Json:
        """The pod with each piece as a function makes it, in the order of the text."""
        pod = {**self.top, "metadata": self.metadata}
        if self.spec is None:
            return pod
        spec = dict(self.spec)
        # In the user's order of keys, so that a diff shows only what is new.
        present = [name for name in spec if name in _LISTS]
        for name in present + [name for name in _LISTS if name not in spec]:
            items = self._items(name, of)
            if items is not None:
                spec[name] = items
        pod["spec"] = spec
        return pod

    def _items(self, name: str, of: Callable[[Piece], Any]) -> list[Any] | None:
        if name == "volumes":
            return self.volumes
        if name == "initContainers":
            own = self.init_containers
            return own if self.init is None else [*(own or ()), of(self.init)]
        if self.first is None and not self.last:
            return self.containers
        before = [] if self.first is None else [of(self.first)]
        return [*before, *(self.containers or ()), *map(of, self.last)]


def native_sidecars(init_containers: object) -> int:
    """How many init containers keep running beside the others."""
    return sum(
        isinstance(item, dict) and item.get("restartPolicy") == "Always"
        for item in (init_containers if isinstance(init_containers, list) else ())
    )
