"""One program of the control plane: its objects, and what brings it back when it is down.

``kubectl rollout restart`` of a Deployment with no pods makes none, and of one that is not there
fails: what advises a restart asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.allow import PROGRESSING
from fsm_stack.snapshot.shape import mapping, mappings, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.drift import refusal_of, shortfall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a program is not available.

    Attributes:
        id: of the catalogue.
        why: the reason.
        evidence: what was seen, in Kubernetes' or the program's own words; empty: nothing.
        fix: what to do.
    """

    id: str
    why: str
    evidence: str = ""
    fix: str = ""


# Source: Kubernetes, pkg/controller/deployment/util, TimedOutReason.
_TIMED_OUT: Final = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What was read of one.

    Attributes:
        name: of its Deployment, or of the DaemonSet that it is.
        namespace: the control plane's.
        kind: which of the two.
        item: that; None: there is none.
        pods: those that are not being deleted, the newest first.
        events: warnings about them and their ReplicaSets, the newest first.
        logs: the telling lines of a container, by pod and container.
        unread: why its pods, events or logs are not known, in words; empty: they are.
    """

    name: str
    namespace: str
    kind: str = "Deployment"
    item: Json | None
    pods: tuple[Pod, ...] = ()
    events: tuple[Json, ...] = ()
    logs: Mapping[tuple[str, str], str]
    unread: str = ""

    @property
    def place(self) -> str:
        """How reports name it."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def target(self) -> str:
        """How kubectl names it: ``deployment/fsm-injector``."""
        return f"{self.kind.lower()}/{self.name}"

    @property
    def of_nodes(self) -> bool:
        """It runs on every node that takes it: nobody asks for a number of pods."""
        return self.kind == "DaemonSet"

    @property
    def seen(self) -> bool:
        """Its controller has looked at it."""
        return bool(self._status.get("observedGeneration"))

    @property
    def wanted(self) -> int:
        """So many pods are asked for; Kubernetes' default is one."""
        if self.of_nodes:
            return _count(self._status.get("desiredNumberScheduled"))
        replicas = mapping((self.item or {}).get("spec")).get("replicas")
        return 1 if replicas is None else _count(replicas)

    @property
    def available(self) -> int:
        """So many are available, of any revision."""
        key = "numberAvailable" if self.of_nodes else "availableReplicas"
        return _count(self._status.get(key))

    @property
    def updated(self) -> int:
        """So many pods have the newest template."""
        return _count(self._status.get("updatedReplicas"))

    @property
    def paused(self) -> bool:
        """Its rollout was stopped by hand."""
        return mapping((self.item or {}).get("spec")).get("paused") is True

    @property
    def timed_out(self) -> str:
        """What its controller says of a rollout that does not end; empty: it does not."""
        one = self.conditions.get(PROGRESSING, {})
        late = one.get("status") == "False" and one.get("reason") == _TIMED_OUT
        return (text(one.get("message")) or _TIMED_OUT) if late else ""

    @property
    def conditions(self) -> dict[str, Json]:
        """The Deployment's, by type."""
        return {text(one.get("type")): one for one in mappings(self._status.get("conditions"))}

    @property
    def _status(self) -> Json:
        return mapping((self.item or {}).get("status"))

    @property
    def runs(self) -> bool:
        """All pods that it asks for are available."""
        return self.item is not None and 0 < self.wanted <= self.available

    def log(self, pod: Pod, one: Container) -> str:
        """What a container wrote, and left as its last message."""
        words = (self.logs.get((pod.key, one.name), ""), one.state.message, one.last.message)
        return "\n".join(part for part in words if part)

    def said(self, pod: Pod, *reasons: str) -> str:
        """The newest warning about a pod with one of these reasons; empty: none."""
        return self._warned(pod.name, *reasons)

    @property
    def refusal(self) -> str:
        """What its controller was told when it made a pod; empty: it was not refused.

        A Deployment keeps that in a condition; a DaemonSet only warns, and warnings stay when the
        pod is there.
        """
        told = refusal_of(self.conditions.values())
        lacks = self.of_nodes and shortfall(self.kind, self.item or {}) is not None
        return told or (self._warned(self.name, "FailedCreate") if lacks else "")

    def _warned(self, name: str, *reasons: str) -> str:
        for event in self.events:
            about = mapping(event.get("involvedObject"))
            if about.get("name") == name and event.get("reason") in reasons:
                return text(event.get("message"))
        return ""


def beside(context: Context, kind: str, name: str) -> Program:
    """What was read of one that runs beside the control plane; nobody reads its pods."""
    known = program(context, name)
    item = context.snapshot.owners.get((kind, known.namespace, name))
    return replace(known, kind=kind, item=item, pods=(), unread="not looked at")


def program(context: Context, name: str) -> Program:
    """What was read of a program of the control plane."""
    snapshot, namespace = context.snapshot, context.expected.mesh.namespace
    own = [
        pod
        for pod in snapshot.program_pods
        if (pod.namespace, pod.program) == (namespace, name) and not pod.deleted
    ]
    events = [
        event
        for event in snapshot.events
        if mapping(event.get("metadata")).get("namespace") == namespace
        and text(mapping(event.get("involvedObject")).get("name")).startswith(name)
    ]
    reasons = [snapshot.unread(Part.PROGRAM_PODS)] + [
        snapshot.not_read.get(part, "") for part in (Part.EVENTS, Part.PROGRAM_LOGS)
    ]
    parts = (Part.PROGRAM_PODS, Part.EVENTS, Part.PROGRAM_LOGS)
    told = [
        why if why.startswith(part.value) else f"{part.value}: {why}"
        for part, why in zip(parts, reasons, strict=True)
        if why
    ]
    return Program(
        name=name,
        namespace=namespace,
        item=snapshot.programs.get((namespace, name)),
        pods=tuple(sorted(own, key=lambda pod: (pod.created, pod.name), reverse=True)),
        events=tuple(sorted(events, key=_when, reverse=True)),
        logs=snapshot.program_logs,
        unread="; ".join(told),
    )


def _when(event: Json) -> str:
    return text(event.get("lastTimestamp")) or text(event.get("eventTime"))


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


_ANY: Final = 1  # pods, where nothing declares how many


THEN: Final = ", then: "


def then(first: str, second: str) -> str:
    """One thing after the other."""
    return f"{first}{THEN}{second}" if first and second else first or second


def start_again(context: Context, name: str) -> str:
    """What makes a program start anew, whatever it does now."""
    namespace = context.expected.mesh.namespace
    item = context.snapshot.programs.get((namespace, name))
    if item is None and Part.CONTROL_PLANE in context.snapshot.read:
        return apply(context)
    if item is not None and mapping(item.get("spec")).get("replicas") == 0:
        return scale(context, name)
    return restart(f"deployment/{name}", namespace)


def restart(target: str, namespace: str) -> str:
    """The command that replaces the pods of ``deployment/NAME``, or of another owner."""
    return command("kubectl", "rollout", "restart", target, "-n", namespace)


def scale(context: Context, name: str) -> str:
    """The command that gives a Deployment the pods that are declared."""
    namespace = context.expected.mesh.namespace
    declared = context.expected.objects.get(("Deployment", namespace, name)) or {}
    replicas = mapping(declared.get("spec")).get("replicas")
    wanted = replicas if isinstance(replicas, int) and replicas > 0 else _ANY
    return command(
        "kubectl", "scale", f"deployment/{name}", f"--replicas={wanted}", "-n", namespace
    )
