"""Pods and containers as checks read them, from the JSON of :mod:`fsm_stack.snapshot.allow`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from fsm_stack.snapshot.allow_pod import INIT_CONTAINERS, MESH_CONTAINERS, ours
from fsm_stack.snapshot.programs import PROGRAMS, telling
from fsm_stack.snapshot.shape import mapping, mappings, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.yaml import Json

StateName = Literal["waiting", "running", "terminated", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a container is.

    Attributes:
        name: ``unknown`` where there is no status.
        reason: such as ``CrashLoopBackOff``.
        message: only of the mesh's own containers, and of the control plane's.
        exit_code: of a terminated one.
    """

    name: StateName = "unknown"
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


UNKNOWN: Final[State] = State()


class Container(NamedTuple):
    """One container of a pod; a mesh has several for each, so it is made fast.

    Attributes:
        name: its name.
        image: only of the mesh's own containers, and of the control plane's.
        init: it stands among the init containers.
        native: an init container that keeps running: a native sidecar.
        ports: container and host ports.
        user: ``securityContext.runAsUser``.
        script: of the init container that loads the rules: its last argument.
        state: now.
        last: before the last restart.
        ready: its status says so; an init container that has ended well is.
        restarts: so many times.
    """

    name: str
    image: str = ""
    init: bool = False
    native: bool = False
    ports: tuple[int, ...] = ()
    user: int | None = None
    script: str | None = None
    state: State = UNKNOWN
    last: State = UNKNOWN
    ready: bool = False
    restarts: int = 0

    @property
    def failed(self) -> State:
        """How it ended last, now or before its restart; ``unknown``: it never did."""
        return self.state if self.state.name == "terminated" else self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What makes a pod anew: a Deployment rather than its ReplicaSet."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod.

    Attributes:
        namespace: its namespace.
        name: its name.
        labels: those that checks read.
        annotations: the meshes' own.
        created: the API server's text, ``2026-07-01T10:00:00Z``; empty: unknown.
        deleted: it is being deleted.
        owner: None for a pod of its own.
        host_network: it shares the node's.
        user: ``securityContext.runAsUser`` of the pod.
        phase: ``Running`` and so on; empty: unknown.
        reason: why the kubelet ended it, such as ``Evicted``; empty: it did not.
        message: of that; only of the control plane's pods.
        scheduled: a scheduler has given it a node.
        unscheduled: why no node takes it, in the scheduler's words; empty: one has.
        address: the pod's.
        containers: init containers first, in order.
        elided: it was read from text that leaves parts out.
        cut: it was read from text that cuts an annotation's end off.
        unannotated: it was read from text that leaves its annotations out.
        described: it was read from text that names no user of a container.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    deleted: bool = False
    owner: Owner | None = None
    host_network: bool = False
    user: int | None = None
    phase: str = ""
    reason: str = ""
    message: str = ""
    scheduled: bool = False
    unscheduled: str = ""
    address: str = ""
    containers: tuple[Container, ...] = ()
    elided: bool = False
    cut: bool = False
    unannotated: bool = False
    described: bool = False

    @property
    def key(self) -> str:
        """``shop/web-7f9c``."""
        return f"{self.namespace}/{self.name}"

    def container(self, name: str) -> Container | None:
        """The container with this name; names are part of a system's profile, never guessed."""
        for item in self.containers:  # asked a dozen times of every pod
            if item.name == name:
                return item
        return None

    @property
    def program(self) -> str:
        """The Deployment of the control plane that it is of; empty: it is another pod."""
        return _program(self.owner)

    @property
    def waiting(self) -> tuple[Container, ...]:
        """The containers that keep it from being ready."""
        return tuple(one for one in self.containers if not one.ready)

    def counted(self) -> tuple[Container, ...]:
        """Those that kubectl counts in READY: the containers, and native sidecars.

        Source: kubernetes pkg/printers/internalversion/printers.go, printPod.
        """
        return tuple(item for item in self.containers if item.native or not item.init)

    @property
    def over(self) -> bool:
        """It ran to its end: a job's pod, for example."""
        return self.phase in {"Succeeded", "Failed"}


def pod(item: Mapping[str, Any]) -> Pod:
    """A pod from its JSON; what has another type than Kubernetes gives it counts as absent.

    It takes the fields of :mod:`fsm_stack.snapshot.allow` and no others, so that a pod which is
    not to be saved need not be pruned first: that is a third of the time of a large mesh.
    """
    metadata, spec, status = (mapping(item.get(key)) for key in ("metadata", "spec", "status"))
    statuses = {
        text(one.get("name")): one
        for part in ("initContainerStatuses", "containerStatuses")
        for one in mappings(status.get(part))
    }
    owner = owner_of(metadata)
    program = bool(_program(owner))
    placed = _scheduled(status) if program else {}
    refused = placed.get("status") == "False"
    containers = [
        _container(one, statuses.get(text(one.get("name"))), init=init, program=program)
        for part, init in (("initContainers", True), ("containers", False))
        for one in mappings(spec.get(part))
    ]
    return Pod(
        namespace=intern(text(metadata.get("namespace"))),
        name=text(metadata.get("name")),
        labels=ours(metadata.get("labels")),
        annotations=ours(metadata.get("annotations")),
        created=text(metadata.get("creationTimestamp")),
        deleted=bool(metadata.get("deletionTimestamp")),
        owner=owner,
        host_network=spec.get("hostNetwork") is True,
        user=_number(mapping(spec.get("securityContext")).get("runAsUser")),
        phase=intern(text(status.get("phase"))),
        reason=text(status.get("reason")),
        message=text(status.get("message")) if program else "",
        scheduled=placed.get("status") == "True" or status.get("phase") != "Pending",
        unscheduled=(text(placed.get("message")) or text(placed.get("reason"))) if refused else "",
        address=text(status.get("podIP")),
        containers=tuple(containers),
        elided=item.get("elided") is True,
        cut=item.get("cut") is True,
        unannotated=item.get("unannotated") is True,
        described=item.get("described") is True,
    )


def _scheduled(status: Json) -> Json:
    """The condition by which a pod has a node; before that only the scheduler has a word."""
    conditions = mappings(status.get("conditions"))
    return next((one for one in conditions if one.get("type") == "PodScheduled"), {})


def _container(item: Json, status: Json | None, *, init: bool, program: bool) -> Container:
    known = status or {}
    name = intern(text(item.get("name")))
    told = program or name in MESH_CONTAINERS
    args = item.get("args") if name in INIT_CONTAINERS else None
    security = item.get("securityContext")
    last = known.get("lastState")
    return Container(
        name=name,
        image=_shared(text(item.get("image"))) if told else "",
        init=init,
        native=init and item.get("restartPolicy") == "Always",
        ports=_ports(item["ports"]) if "ports" in item else (),
        user=_number(mapping(security).get("runAsUser")) if security else None,
        script=_shared(text(args[-1])) if isinstance(args, list) and args else None,
        state=_state(known.get("state"), told=told, program=program),
        last=_state(last, told=told, program=program) if last else UNKNOWN,
        ready=known.get("ready") is True,
        restarts=_number(known.get("restartCount")) or 0,
    )


@lru_cache(maxsize=4096)
def _shared(text: str) -> str:
    """The same text once: a mesh has few different scripts and images."""
    return text


def _ports(value: object) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for port in mappings(value):
        for number in (port.get("containerPort"), port.get("hostPort")):
            if number and _number(number):
                found[number] = None
    return tuple(found)


def _state(value: object, *, told: bool, program: bool) -> State:
    """Where a container is, by its status; of a program's message the telling lines."""
    if not value or not isinstance(value, dict):
        return UNKNOWN
    known = value
    names: tuple[StateName, ...] = ("terminated", "waiting", "running")
    for name in names:
        if name in known:
            about = mapping(known[name])
            message = text(about.get("message")) if told else ""
            return _shared_state(
                name,
                text(about.get("reason")),
                telling(message) if message and program else message,
                _number(about.get("exitCode")),
            )
    return UNKNOWN


@lru_cache(maxsize=1024)
def _shared_state(name: StateName, reason: str, message: str, code: int | None) -> State:
    return State(name=name, reason=reason, message=message, exit_code=code)


def owner_of(metadata: Json) -> Owner | None:
    """What makes a pod anew, by its metadata; None: nothing does."""
    for one in mappings(metadata.get("ownerReferences")):
        if one.get("controller") is True:
            kind, name = text(one.get("kind")), text(one.get("name"))
            front = _deployment(name, metadata) if kind == "ReplicaSet" else ""
            return Owner(kind="Deployment", name=front) if front else Owner(kind=kind, name=name)
    return None


def _program(owner: Owner | None) -> str:
    known = owner is not None and owner.kind == "Deployment" and owner.name in PROGRAMS
    return owner.name if owner is not None and known else ""


def program_of(item: Mapping[str, Any]) -> str:
    """The program of a control plane whose pod this is; empty: it is another pod."""
    return _program(owner_of(mapping(item.get("metadata"))))


# What a Deployment puts behind its name: a hash in the letters of SafeEncodeString
# (k8s.io/apimachinery/pkg/util/rand). Behind an "x" it is one of an anonymized snapshot.
_HASH: Final = re.compile(r"(?:[bcdfghjklmnpqrstvwxz2456789]{5,10}|x[0-9a-f]{10})")


def _deployment(replica_set: str, metadata: Json) -> str:
    """The Deployment behind a ReplicaSet; empty: there is none, or an Argo Rollout is.

    Its pods have the label pod-template-hash. What is no answer of an API server, a description
    that somebody shortened, may have left labels out: there a number in it will do.
    """
    labels = mapping(metadata.get("labels"))
    if "rollouts-pod-template-hash" in labels:
        return ""
    front, _, tail = replica_set.rpartition("-")
    if tail == labels.get("pod-template-hash") or _HASH.fullmatch(tail):
        return front
    answered = bool(metadata.get("uid"))
    return "" if answered or tail.isalpha() else front


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
