"""A pod as an injector decodes it, its fields and their types, and the parts of it afterwards.

What an injector does not know is lost, because it decodes the pod and encodes it again: a native
sidecar's ``restartPolicy`` in osm-edge and OSM, for example. Source: k8s.io/api core/v1 (PodSpec,
Container) and k8s.io/apimachinery (ObjectMeta): 0.33 in FSM's go.mod, 0.26 in the others'.

Only the fields that the mutation reads; the API server has checked the others before. The
messages are those of Go's encoding/json for k8s.io/api core/v1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticSerializationError, to_json

from fsm_stack.injector.profile import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.annotations import Interception
    from fsm_stack.injector.probes import Summary
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


METADATA_FIELDS: Final = frozenset(
    """
    annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers
    generateName generation labels managedFields name namespace ownerReferences resourceVersion
    selfLink uid
    """.split()  # noqa: SIM905  # forty quoted names are harder to read
)
_SPEC: Final = frozenset(
    """
    activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy
    enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers
    hostname imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy
    priority priorityClassName readinessGates resourceClaims restartPolicy runtimeClassName
    schedulerName schedulingGates securityContext serviceAccount serviceAccountName
    setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations
    topologySpreadConstraints volumes
    """.split()  # noqa: SIM905
)
_CONTAINER: Final = frozenset(
    """
    args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports
    readinessProbe resources securityContext startupProbe stdin stdinOnce terminationMessagePath
    terminationMessagePolicy tty volumeDevices volumeMounts workingDir
    """.split()  # noqa: SIM905
)
_NEWER_SPEC: Final = frozenset({"resources"})
_NEWER_CONTAINER: Final = frozenset({"resizePolicy", "restartPolicy"})


def spec_fields(system: System) -> frozenset[str]:
    """The fields of a pod's ``spec`` that survive this system's injector."""
    return _SPEC | _NEWER_SPEC if system.newer_pod_fields else _SPEC


def container_fields(system: System) -> frozenset[str]:
    """The fields of a container that survive this system's injector."""
    return _CONTAINER | _NEWER_CONTAINER if system.newer_pod_fields else _CONTAINER


_GO_KINDS: Final = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}
_GO_TYPES: Final = {str: "string", bool: "bool", int: "int32"}


def wrong_type(value: object, field: str, go_type: str) -> Refusal:
    """Go's complaint about a value of the wrong type.

    Args:
        value: what stands there.
        field: Go's struct and the path, ``PodSpec.spec.containers``.
        go_type: what was expected, ``[]v1.Container``.
    """
    kind = _GO_KINDS.get(type(value), "value")
    path = field.partition(".")[2]
    return Refusal(
        f"json: cannot unmarshal {kind} into Go struct field {field} of type {go_type}",
        rule_id="wrong-type",
        path=path,
    )


def mapping(value: Any, field: str, go_type: str) -> dict[str, Any]:  # noqa: ANN401  # decoded JSON
    """An object, or an empty one for null.

    Raises:
        Refusal: for anything else.
    """
    if value is None:
        return {}
    if type(value) is not dict:
        raise wrong_type(value, field, go_type)
    return value


def texts(value: Any, field: str) -> dict[str, str]:  # noqa: ANN401  # decoded JSON
    """A ``map[string]string``; null values are "".

    Raises:
        Refusal: for anything else.
    """
    known = mapping(value, field, "map[string]string")
    for item in known.values():
        if type(item) is not str and item is not None:
            raise wrong_type(item, field, "string")
    return {key: item or "" for key, item in known.items()}


def objects(value: Any, field: str, go_type: str) -> list[dict[str, Any]]:  # noqa: ANN401  # JSON
    """A list of objects; null is empty, a null item is an empty object.

    Raises:
        Refusal: for anything else.
    """
    if value is None:
        return []
    if type(value) is not list:
        raise wrong_type(value, field, f"[]v1.{go_type}")
    for item in value:
        if type(item) is not dict and item is not None:
            raise wrong_type(item, field, f"v1.{go_type}")
    return [item or {} for item in value]


def scalar(value: Any, kind: type, field: str) -> Any:  # noqa: ANN401  # decoded JSON
    """A text, a yes or no, or a number; null is the zero value.

    Raises:
        Refusal: for anything else.
    """
    if value is None:
        return kind()
    if type(value) is not kind:
        raise wrong_type(value, field, _GO_TYPES[kind])
    return value


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


def native_sidecars(init_containers: object) -> int:
    """How many init containers keep running beside the others."""
    return sum(
        isinstance(item, dict) and item.get("restartPolicy") == "Always"
        for item in (init_containers if isinstance(init_containers, list) else ())
    )


@dataclass(slots=True, kw_only=True)
class Mutation:
    """A mutated pod in parts: what is the user's, and what is added.

    Attributes:
        top: the object as given; metadata and specification take their places in it.
        metadata: with label and annotations.
        spec: with the user's containers, init containers and volumes as they were.
        probes: what the pod's probes were.
        first: a container before the user's.
        containers: the user's, probes rewritten; None: the specification has no such key.
        last: containers after the user's.
        init_containers: the user's; None: the specification has no such key.
        init: the init container that is added.
        volumes: the user's and the bootstrap's; None: the specification has no such key.
        interception: lists and script; None: no init container.
        secret: the name of the Secret that the injector makes; None: none.
        reinjected: the pod had been injected before.
    """

    top: Mapping[str, Any]
    metadata: Json
    spec: Json | None
    probes: Summary
    first: Json | None = None
    containers: list[Json] | None = None
    last: tuple[Json, ...] = ()
    init_containers: list[Json] | None = None
    init: Json | None = None
    volumes: list[Json] | None = None
    interception: Interception | None = None
    secret: str | None = None
    reinjected: bool = False

    def plain(self) -> Json:
        """The whole pod; what nothing touched is shared with the given one."""
        pod = {**self.top, "metadata": self.metadata}
        if self.spec is None:
            return pod
        lists = {
            "initContainers": _around((), self.init_containers, _listed(self.init)),
            "containers": _around(_listed(self.first), self.containers, self.last),
            "volumes": self.volumes,
        }
        # In the user's order of keys, so that a diff shows only what is new.
        pod["spec"] = self.spec | {key: items for key, items in lists.items() if items is not None}
        return pod

    def text(self) -> str:
        """The same as compact JSON."""
        pod = self.plain()
        try:
            return to_json(pod, inf_nan_mode="constants").decode()  # a third of json's time
        except PydanticSerializationError:  # half a surrogate pair, or a deep value
            return json.dumps(pod, separators=(",", ":"), check_circular=False)

    def ready_count(self) -> int:
        """How many containers kubectl counts in its READY column: native sidecars are among them.

        Source: kubernetes pkg/printers/internalversion, printPod.
        """
        own = len(self.containers or ()) + len(self.last) + (self.first is not None)
        return own + native_sidecars(self.init_containers)


def _listed(container: Json | None) -> tuple[Json, ...]:
    return () if container is None else (container,)


def _around(
    before: tuple[Json, ...], own: list[Json] | None, after: tuple[Json, ...]
) -> list[Json] | None:
    return [*before, *(own or ()), *after] if before or after else own
