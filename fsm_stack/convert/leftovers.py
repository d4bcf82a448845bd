"""What outlives a mesh in a cluster, by name, with the commands that remove it in the safe order.

At no step of that order a pod is refused: first what blocks pods, then the namespaces leave the
mesh, then what still has a sidecar is restarted, and the definitions go last.
Source: flomesh-io/fsm cmd/fsm-bootstrap, pkg/injector/webhook.go, pkg/validator/patch.go,
pkg/certificate; the chart's labels; the same of OSM and osm-edge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from fsm_stack.convert.chart.release import CHARTS
from fsm_stack.convert.remains import (
    GROUPS,
    ROLES,
    is_ours,
    labels_of_systems,
    names_of,
    places_of,
    service_of,
)
from fsm_stack.findings.finding import ObjectName, finding
from fsm_stack.manifests.canary import unpatch
from fsm_stack.snapshot.objects import owner_of
from fsm_stack.snapshot.programs import NAME_LABEL, POLICY_KINDS
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.snapshot.snapshot import OWNER_KINDS
from fsm_stack.verify.canary import before_of
from fsm_stack.verify.commands import command
from fsm_stack.well_known import CANARY_KINDS, INJECTION, METRICS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from fsm_stack.convert.remains import Remains
    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

_AUTHORITIES: Final = ("fsm-ca-bundle", "osm-ca-bundle")
_BOOTSTRAP: Final = ("sidecar-bootstrap-config-", "envoy-bootstrap-config-")


class Step(IntEnum):
    """The safe order."""

    BLOCKING = 1
    ENROLMENT = 2
    RESTART = 3
    CANARY = 4
    WEBHOOK = 5
    RELEASE = 6
    SECRET = 7
    ROLE = 8
    DEFINITION = 9


TITLES: Final = {
    Step.BLOCKING: "webhooks that nobody answers for: they refuse pods now",
    Step.ENROLMENT: "namespaces that a next mesh would take in again",
    Step.RESTART: "workloads whose pods still have a sidecar: restart them",
    Step.CANARY: "what canaries made: without a mesh it has no effect",
    Step.WEBHOOK: "webhook configurations, and policies of the guard",
    Step.RELEASE: "records of Helm",
    Step.SECRET: "Secrets that FSM's programs made",
    Step.ROLE: "roles of the control plane, and who has them",
    Step.DEFINITION: "CRDs: deleting one deletes every object of its kind, everywhere",
}


_GUARD: Final = "a stack's guard of its MeshConfig and pods"
_ALLOWED: Final = "what the control plane was allowed to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One thing that is left.

    Attributes:
        step: when it is removed.
        name: the object.
        why: whose it is, or what it does.
        command: what removes it, or takes it out of the mesh.
    """

    step: Step
    name: ObjectName
    why: str
    command: str


def leftovers(remains: Remains) -> tuple[Leftover, ...]:
    """Everything that is left, in the safe order."""
    found = [
        *_webhooks(remains),
        *_labelled(remains.policies, POLICY_KINDS, Step.WEBHOOK, _GUARD),
        *_namespaces(remains.namespaces),
        *_workloads(remains.pods),
        *_canaries(remains.canaries),
        *_secrets(remains),
        *_labelled(remains.roles, ROLES, Step.ROLE, _ALLOWED),
        *_definitions(remains.definitions),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.step, one.name)))


def findings(found: Iterable[Leftover], remains: Remains) -> Iterator[Finding]:
    """What blocks pods, each by itself, and what else is left, once."""
    rest = 0
    for one in found:
        if one.step is Step.BLOCKING:
            item = finding("leftover-blocks-pods", one.why, path=str(one.name), fix=one.command)
            yield item.at(object=one.name)
        else:
            rest += 1
    for place, name in remains.meshes:
        message = f"MeshConfig {place}/{name} is there: remove its mesh first, then look again"
        yield finding("leftover-mesh-lives", message, path=f"{place}/{name}")
    if rest and not remains.meshes:
        things = "1 thing is" if rest == 1 else f"{rest} things are"
        yield finding("leftover-found", f"{things} left of a mesh", path="cluster")


def _webhooks(remains: Remains) -> Iterator[Leftover]:
    for item in remains.webhooks:
        if not is_ours(item):
            continue
        kind, name = text(item.get("kind")), text(mapping(item.get("metadata")).get("name"))
        removal = command("kubectl", "delete", kind.lower(), name)
        why = next(filter(None, (_blocks(one, remains) for one in _failing(item))), "")
        yield Leftover(
            step=Step.BLOCKING if why else Step.WEBHOOK,
            name=ObjectName(kind, "", name),
            why=why or "made by the control plane, or declared with it",
            command=removal,
        )


def _labelled(
    items: Iterable[Json], kinds: Collection[str], step: Step, why: str
) -> Iterator[Leftover]:
    """Objects of the whole cluster that have a mesh's label."""
    for item in items:
        about = mapping(item.get("metadata"))
        kind, name = text(item.get("kind")), text(about.get("name"))
        if kind in kinds and texts(about.get("labels")).get(NAME_LABEL) in GROUPS:
            yield Leftover(
                step=step,
                name=ObjectName(kind, "", name),
                why=why,
                command=command("kubectl", "delete", kind.lower(), name),
            )


def _failing(configuration: Json) -> list[Json]:
    """The webhooks whose silence is a refusal; Kubernetes' default policy is Fail."""
    hooks = mappings(configuration.get("webhooks"))
    return [one for one in hooks if one.get("failurePolicy", "Fail") == "Fail"]


def _blocks(webhook: Json, remains: Remains) -> str:
    """Why nobody answers for a webhook; empty: somebody does, or nothing tells."""
    service = service_of(webhook)
    if service is None or service in remains.served:
        return ""
    absent = "has no pod that answers" if service in remains.services else "is not there"
    resources = ", ".join(
        str(one) for rule in mappings(webhook.get("rules")) for one in rule.get("resources") or ()
    )
    label = ", ".join(
        f"{key}={value}"
        for key, value in texts(
            mapping(webhook.get("namespaceSelector")).get("matchLabels")
        ).items()
    )
    where = f" in namespaces with {label}" if label else ""
    return f"Service {'/'.join(service)} {absent}: every new one of {resources}{where} is refused"


def _namespaces(items: Iterable[Json]) -> Iterator[Leftover]:
    for item in items:
        about = mapping(item.get("metadata"))
        labels, notes = texts(about.get("labels")), texts(about.get("annotations"))
        name = text(about.get("name"))
        for system in labels_of_systems():
            gone = [
                f"{key}-"
                for key in (system.monitored_by_label, system.ignore_label)
                if key in labels
            ]
            names = (system.annotation(INJECTION), system.annotation(METRICS))
            lost = [f"{key}-" for key in names if key in notes]
            for verb, what, words in (
                ("label", "labels", gone),
                ("annotate", "annotations", lost),
            ):
                if words:
                    yield Leftover(
                        step=Step.ENROLMENT,
                        name=ObjectName("Namespace", "", name),
                        why=f"{what} of a mesh: {', '.join(one[:-1] for one in words)}",
                        command=command("kubectl", verb, "namespace", name, *words),
                    )


def _workloads(pods: Iterable[Json]) -> Iterator[Leftover]:
    for item in pods:
        about = mapping(item.get("metadata"))
        place, name = text(about.get("namespace")), text(about.get("name"))
        owner = owner_of(about)
        kind, title = (owner.kind, owner.name) if owner else ("Pod", name)
        why = "its pods have a sidecar, which asks for the control plane"
        if kind in OWNER_KINDS:
            restart = command(
                "kubectl", "rollout", "restart", f"{kind.lower()}/{title}", "-n", place
            )
        else:
            restart = command("kubectl", "delete", "pod", name, "-n", place)
            why += (
                "; nothing makes it anew" if owner is None else f"; {kind} {title} makes it anew"
            )
            kind, title = "Pod", name
        yield Leftover(
            step=Step.RESTART, name=ObjectName(kind, place, title), why=why, command=restart
        )


def _canaries(items: Iterable[Json]) -> Iterator[Leftover]:
    for item in items:
        about = mapping(item.get("metadata"))
        kind, place, name = (
            text(one) for one in (item.get("kind"), about.get("namespace"), about.get("name"))
        )
        if kind in CANARY_KINDS:
            removal = command("kubectl", "delete", kind.lower(), name)
        elif before := before_of(item):
            change = json.dumps(unpatch(before), separators=(",", ":"))
            removal = command(
                "kubectl", "patch", kind.lower(), name, "-n", place, "--type=merge", "-p", change
            )
        else:
            continue
        yield Leftover(
            step=Step.CANARY,
            name=ObjectName(kind, place, name),
            why="a change of the mesh's lists was tried on a namespace",
            command=removal,
        )


def _secrets(remains: Remains) -> Iterator[Leftover]:
    places, names = places_of(remains), names_of(remains)
    for item in remains.secrets:
        about = mapping(item.get("metadata"))
        place, name = text(about.get("namespace")), text(about.get("name"))
        removal = command("kubectl", "delete", "secret", name, "-n", place)
        step, why = Step.SECRET, ""
        labels = texts(about.get("labels"))
        if labels.get("owner") == "helm":
            step, release = Step.RELEASE, labels.get("name", "")
            chart = text(item.get("chart"))
            if chart in CHARTS or (not chart and release in names):
                why = f"Helm's record of release {release}: helm uninstall would use it"
            elif not chart and place in places:
                why = f"Helm's record of release {release}, the mesh's or not: look at its chart"
                removal = command("helm", "get", "metadata", release, "-n", place)
        elif name in _AUTHORITIES or (name.endswith("-ca-bundle") and place in places):
            why = "the mesh's authority; a next mesh makes its own"
        elif name.startswith(_BOOTSTRAP) and labels.get(NAME_LABEL) in GROUPS:
            why = "the configuration of one sidecar"
        if why:
            yield Leftover(
                step=step, name=ObjectName("Secret", place, name), why=why, command=removal
            )


def _definitions(items: Iterable[Json]) -> Iterator[Leftover]:
    for item in items:
        name = text(mapping(item.get("metadata")).get("name"))
        group = name.partition(".")[2]
        if f".{group}".endswith(tuple(f".{one}" for one in GROUPS)):
            yield Leftover(
                step=Step.DEFINITION,
                name=ObjectName("CustomResourceDefinition", "", name),
                why="kept for the objects of its kind",
                command=command("kubectl", "delete", "crd", name),
            )
