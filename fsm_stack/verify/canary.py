"""The canaries that a cluster holds: what they try, on which namespace, what they have made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from fsm_stack.findings.finding import ObjectName
from fsm_stack.injector.annotations import keys_of
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.read.text import RuleSyntaxError, read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.diagram import TooComplexError
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.lists import POD_LISTS
from fsm_stack.manifests.canary import BINDING, CANARY_NAMESPACE, POLICY, name_of
from fsm_stack.snapshot.shape import mapping, text, texts
from fsm_stack.well_known import CANARY_BEFORE, CANARY_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.iptables.sets.coverage import Coverage
    from fsm_stack.lists import Lists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A change that is tried on one namespace.

    Attributes:
        namespace: whose pods try it.
        digest: the value of its label, which tells it from another change.
        adds: the entries, as annotations of pods.
        by: what gives them to new pods.
        made: every object that it made or changed, but pods: they end with their owner's restart.
    """

    namespace: str
    digest: str
    adds: Mapping[str, str]
    by: Literal["policy", "templates"]
    made: tuple[ObjectName, ...]

    @property
    def whole(self) -> bool:
        """Whether new pods get the entries: a policy without its binding does nothing."""
        return self.by == "templates" or {one.kind for one in self.made} == {POLICY, BINDING}

    def tries(self, pod: Pod) -> bool:
        """Whether a pod was made with the entries."""
        return pod.namespace == self.namespace and pod.labels.get(CANARY_LABEL) == self.digest


def canaries(snapshot: Snapshot, system: System) -> tuple[Canary, ...]:
    """Every canary that was read, by namespace."""
    return tuple(sorted((*_of_policies(snapshot, system), *_of_templates(snapshot, system)),
                        key=lambda one: (one.namespace, one.by)))  # fmt: skip


def _of_policies(snapshot: Snapshot, system: System) -> Iterator[Canary]:
    by_namespace: dict[str, list[Json]] = {}
    for item in snapshot.canaries:
        by_namespace.setdefault(namespace_of(item), []).append(item)
    for namespace, items in by_namespace.items():
        policy = max(items, key=lambda item: item.get("kind") == POLICY)
        yield Canary(
            namespace=namespace,
            digest=_label(policy),
            adds=_listed(texts(mapping(policy.get("metadata")).get("annotations")), system),
            by="policy",
            made=tuple(
                # The binding goes first: a policy that nothing binds changes no pod.
                ObjectName(text(item.get("kind")), "", _name(item))
                for item in sorted(items, key=lambda item: item.get("kind") == POLICY)
            ),
        )


def _of_templates(snapshot: Snapshot, system: System) -> Iterator[Canary]:
    found: dict[tuple[str, str], list[tuple[ObjectName, Json]]] = {}
    for (kind, namespace, name), item in sorted(snapshot.owners.items()):
        if before_of(item):
            made = ObjectName(kind, namespace, name)
            found.setdefault((namespace, _label(item)), []).append((made, item))
    for (namespace, digest), owners in found.items():
        adds: dict[str, str] = {}
        for _, item in owners:
            for key, entries in _added(item).items():
                adds[key] = max(adds.get(key, ""), entries, key=len)
        yield Canary(
            namespace=namespace,
            digest=digest,
            adds=_listed(adds, system),
            by="templates",
            made=tuple(made for made, _ in owners),
        )


def _added(owner: Json) -> dict[str, str]:
    """What a canary added to an owner's pod template, beside what was there."""
    there = _annotations(owner)
    return {
        key: ",".join(_beside(there.get(key, ""), own or ""))
        for key, own in before_of(owner).items()
    }


def _beside(value: str, own: str) -> list[str]:
    known = {part.strip() for part in own.split(",")}
    return [part for one in value.split(",") if (part := one.strip()) and part not in known]


def _listed(notes: Mapping[str, str], system: System) -> dict[str, str]:
    return {key: notes[key] for key in keys_of(system).lists if notes.get(key)}


def _label(item: Json) -> str:
    return texts(mapping(item.get("metadata")).get("labels")).get(CANARY_LABEL, "")


def _name(item: Json) -> str:
    return text(mapping(item.get("metadata")).get("name"))


def namespace_of(item: Json) -> str:
    """The namespace whose pods a policy, or its binding, is about."""
    constraints = mapping(mapping(item.get("spec")).get("matchConstraints"))
    selector = mapping(constraints.get("namespaceSelector"))
    known = texts(selector.get("matchLabels")).get(CANARY_NAMESPACE)
    return known or _name(item).removeprefix(name_of(""))


def before_of(owner: Json) -> dict[str, str | None]:
    """What a canary found in an owner's pod template; empty: none changed it.

    A record that somebody damaged counts as none.
    """
    notes = texts(mapping(owner.get("metadata")).get("annotations"))
    try:
        known = mapping(json.loads(notes.get(CANARY_BEFORE, "{}")))
    except (ValueError, RecursionError):
        return {}
    return {key: one for key, one in known.items() if one is None or isinstance(one, str)}


def _annotations(owner: Json) -> dict[str, str]:
    template = mapping(mapping(owner.get("spec")).get("template"))
    return dict(texts(mapping(template.get("metadata")).get("annotations")))


def template_of(owner: Json) -> dict[str, str]:
    """The annotations of an owner's pod template without those of a canary."""
    found = _annotations(owner)
    for key, value in before_of(owner).items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


def without(annotations: Mapping[str, str], adds: Mapping[str, str]) -> dict[str, str]:
    """A pod's annotations without a canary's entries, where no template tells its own."""
    kept = {
        key: ",".join(_beside(value, adds[key])) if key in adds else value
        for key, value in annotations.items()
    }
    return {key: value for key, value in kept.items() if value or key not in adds}


def lasts(
    pod: Pod, key: str, template: Mapping[str, str], *, tried: Mapping[str, str], mesh: Lists
) -> bool:
    """Whether what a canary's pod carries beyond its template counts for the next pod, too.

    Args:
        pod: with the annotation, of a canary.
        key: the annotation of a list.
        template: the annotations of its owner's template.
        tried: what a canary gives new pods of its namespace.
        mesh: the lists of the mesh: after promotion they hold what the annotation does.
    """
    known = {*tried.get(key, "").split(","), *_of_mesh(key, mesh)}
    return set(_beside(pod.annotations[key], template.get(key, ""))) <= known


def promoted(canary: Canary, mesh: Lists) -> bool:
    """Whether a mesh has all that a canary tries."""
    return all(
        set(_beside(entries, "")) <= _of_mesh(key, mesh) for key, entries in canary.adds.items()
    )


def _of_mesh(key: str, mesh: Lists) -> set[str]:
    """What a mesh has in the list of an annotation."""
    return {
        str(one)
        for name in POD_LISTS
        if key.endswith(f"/{name.annotation}")
        for one in mesh.entries(name)
    }


def other_fate(one: str, other: str) -> str:
    """The first connections to which two scripts give another fate; empty: there are none."""
    if one == other:
        return ""
    first, second = _fates(one), _fates(other)
    if isinstance(first, str) or isinstance(second, str):
        return first if isinstance(first, str) else str(second)
    try:
        found = shifts(first, second)
    except TooComplexError as error:
        return str(error)
    return f"another fate has {region_text(found[0].said)}" if found else ""


@lru_cache(maxsize=512)
def _fates(script: str) -> Coverage | str:
    try:
        return coverage(read(script).ruleset)
    except (NotLoadableError, RuleSyntaxError, TooComplexError) as error:
        return str(error)
