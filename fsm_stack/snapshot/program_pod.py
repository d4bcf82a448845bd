"""A pod of the control plane: whether it runs, and what the kubelet and the scheduler say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.objects import UNKNOWN, State, owner_of, state_of
from fsm_stack.snapshot.programs import PROGRAMS, telling
from fsm_stack.snapshot.shape import mapping, mappings, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
POD_HASH: Final = "pod-template-hash"
# A node leads the pod; before that only the scheduler has a word.
_SCHEDULED: Final = "PodScheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramContainer:
    """One container.

    Attributes:
        name: its name.
        image: as the pod asks for it.
        init: it stands among the init containers.
        state: now.
        last: before the last restart.
        ready: its status says so; an init container that has ended well is.
        restarts: so many times.
    """

    name: str
    image: str = ""
    init: bool = False
    state: State = UNKNOWN
    last: State = UNKNOWN
    ready: bool = False
    restarts: int = 0

    @property
    def failed(self) -> State:
        """How it ended last, now or before its restart; ``unknown``: it never did."""
        return self.state if self.state.name == "terminated" else self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPod:
    """One pod.

    Attributes:
        namespace: the control plane's.
        name: its name.
        program: the Deployment that it is of.
        revision: the hash of its template; empty: unknown.
        created: the API server's text.
        deleted: it is being deleted.
        phase: ``Pending`` and so on.
        reason: why it was ended, such as ``Evicted``.
        message: of that.
        unscheduled: why no node takes it, in the scheduler's words; empty: one has.
        scheduled: a scheduler has given it a node.
        containers: init containers first.
    """

    namespace: str
    name: str
    program: str
    revision: str = ""
    created: str = ""
    deleted: bool = False
    phase: str = ""
    reason: str = ""
    message: str = ""
    unscheduled: str = ""
    scheduled: bool = False
    containers: tuple[ProgramContainer, ...] = ()

    @property
    def key(self) -> str:
        """``fsm-system/fsm-injector-5d9c8-x2x``."""
        return f"{self.namespace}/{self.name}"

    @property
    def waiting(self) -> tuple[ProgramContainer, ...]:
        """The containers that keep it from being ready."""
        return tuple(one for one in self.containers if not one.ready)


def program_of(item: Mapping[str, Any]) -> str:
    """The program of a control plane whose pod this is; empty: it is another pod."""
    owner = owner_of(mapping(item.get("metadata")))
    known = owner is not None and owner.kind == "Deployment" and owner.name in PROGRAMS
    return owner.name if owner is not None and known else ""


def program_pod(item: Mapping[str, Any]) -> ProgramPod:
    """A pod from its JSON; what has another type than Kubernetes gives it counts as absent."""
    about, status = mapping(item.get("metadata")), mapping(item.get("status"))
    conditions = {text(one.get("type")): one for one in mappings(status.get("conditions"))}
    placed = conditions.get(_SCHEDULED, {})
    refused = placed.get("status") == "False"
    return ProgramPod(
        namespace=text(about.get("namespace")),
        name=text(about.get("name")),
        program=program_of(item),
        revision=text(mapping(about.get("labels")).get(POD_HASH)),
        created=text(about.get("creationTimestamp")),
        deleted=bool(about.get("deletionTimestamp")),
        phase=text(status.get("phase")),
        reason=text(status.get("reason")),
        message=text(status.get("message")),
        unscheduled=(text(placed.get("message")) or text(placed.get("reason"))) if refused else "",
        scheduled=placed.get("status") == "True" or text(status.get("phase")) != "Pending",
        containers=tuple(_containers(item)),
    )


def _containers(item: Mapping[str, Any]) -> Iterator[ProgramContainer]:
    spec, status = mapping(item.get("spec")), mapping(item.get("status"))
    for part, init in (("initContainers", True), ("containers", False)):
        reported = f"{part[:-1]}Statuses"
        known = {text(one.get("name")): one for one in mappings(status.get(reported))}
        for one in mappings(spec.get(part)):
            name = text(one.get("name"))
            about = known.get(name, {})
            restarts = about.get("restartCount")
            yield ProgramContainer(
                name=name,
                image=text(one.get("image")),
                init=init,
                state=_state(about.get("state")),
                last=_state(about.get("lastState")),
                ready=about.get("ready") is True,
                restarts=restarts if isinstance(restarts, int) else 0,
            )


def _state(value: object) -> State:
    known = state_of(value, with_message=True)
    return replace(known, message=telling(known.message)) if known.message else known
