"""Who has to restart for a change: pods as classes of equal scripts, before and after."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import few
from fsm_stack.injector.annotations import interception
from fsm_stack.injector.of_settings import enrolled, mesh_of
from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import MESH
from fsm_stack.review.fates import Pair, refused
from fsm_stack.review.model import Level, SideName
from fsm_stack.review.reports.outcome import PodClass, Restarts
from fsm_stack.review.restarting.waves import plan
from fsm_stack.review.side import Side
from fsm_stack.review.traffic import traffic_changes
from fsm_stack.verify.redirecting import redirecting_mesh

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.review.compare import Comparison
    from fsm_stack.review.model import TrafficChange
    from fsm_stack.review.restarting.pods import Carried, Pods

_OWNERS_SHOWN: Final = 20
_DIGITS: Final = 16


def mesh_of_side(side: Side) -> MeshView | None:
    """A stack's mesh, as far as scripts go; None: it is no stack."""
    settings = side.settings
    if settings is None:
        return None
    return redirecting_mesh(
        settings.profile, side.spec, name=settings.mesh_name, namespace=settings.namespace
    )


def meshes(compared: Comparison) -> tuple[MeshView, MeshView] | None:
    """Both sides' meshes, as far as scripts go; None: a side does not say its MeshConfig."""
    settings = compared.after.settings or compared.before.settings
    one, two = compared.before.spec, compared.after.spec
    if settings is None or one is None or two is None:
        return None
    system, name, namespace = settings.profile, settings.mesh_name, settings.namespace
    return (
        redirecting_mesh(system, one, name=name, namespace=namespace),
        redirecting_mesh(system, two, name=name, namespace=namespace),
    )


def with_workloads(side: Side, pods: Pods, *, every: bool = False) -> Side:
    """The side with a scope for each way in which given workloads carry lists of their own.

    Workloads that carry what a profile does are that profile's pods. A scope has the same name on
    both sides of a comparison: it stands for what pods carry, whatever script that makes.

    Args:
        side: of a stack.
        pods: everything that was read.
        every: those, too, whose script the side has already: what another side is looked up in.
    """
    settings, view = side.settings, mesh_of_side(side)
    if settings is None or view is None or side.no_scripts:
        return side
    titles: dict[Carried, list[str]] = {}
    for carried, title in pods.carriers(enrolled(settings, mesh_of(settings))):
        titles.setdefault(carried, []).append(title)
    scripts, known = dict(side.scripts), set(side.scripts.values())
    refusals, used = [], Counter[str]()
    for carried, owners in titles.items():
        name = few(dict.fromkeys(owners), 1)
        used[name] += 1
        if used[name] > 1:  # its pods were made of different templates
            name += f" ({used[name]})"
        made = _side(pods.annotations(carried), view)
        text = made.scripts.get(MESH)
        if text is None:
            refusals.append(f"{name}: {made.no_scripts}")
        elif every or text not in known:
            scripts[name] = text
    return replace(side, scripts=scripts, refused=tuple(refusals))


def by_annotations(compared: Comparison, changes: Sequence[TrafficChange]) -> bool:
    """Whether pods change only that carry other annotations first: of a profile, or a new one."""
    own = {one.name for one in compared.pairs if not one.offered and not one.rewritten}
    return bool(changes) and not any(own & set(one.scopes) for one in changes)


def rule(compared: Comparison, changes: Sequence[TrafficChange]) -> str:
    """Who has to restart, without any workload."""
    scopes = {scope for one in changes for scope in one.scopes}
    rewritten = {one.name for one in compared.pairs if one.rewritten}
    every = [one.name for one in compared.pairs if not one.offered and not one.rewritten]
    annotated = ", ".join(sorted(scopes & rewritten))
    scopes &= set(every)
    if annotated:
        told = (
            f"Pods of profile {annotated} get its new lists with its new annotations: write them "
            "into the templates (fsm-stack annotate), which restarts the pods."
        )
        return f"{_rule(scopes, every)} {told}" if scopes else told
    return _rule(scopes, every)


def _rule(scopes: Collection[str], every: Sequence[str]) -> str:
    """Who has to restart for what changes without another annotation."""
    if not scopes:
        return "No running pod has to restart."
    if all(name in scopes for name in every):
        return (
            "Every pod with a sidecar has to restart to get the new rules; until then it has the "
            "old ones."
        )
    named = ", ".join(sorted(name for name in scopes if name != MESH))
    who = []
    if MESH in scopes:
        who.append("pods without redirection annotations")
    if named:
        who.append(f"pods with the annotations of profile {named}")
    return f"To get the new rules, these have to restart: {' and '.join(who)}."


@dataclass(slots=True)
class _Class:
    pods: int = 0
    owners: dict[str, int] = field(default_factory=dict)
    namespaces: set[tuple[str, str]] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)


def restarts(
    compared: Comparison, changes: Sequence[TrafficChange], pods: Pods, views: tuple[MeshView, ...]
) -> Restarts:
    """The classes of the pods that were read, and the waves of those that have to restart.

    A pod whose script is written otherwise and does the same need not restart.

    Args:
        compared: the two sides.
        changes: what changes for their own scopes.
        pods: everything that was read.
        views: the meshes of both sides, from :func:`meshes`.
    """
    settings = compared.after.settings or compared.before.settings
    known = enrolled(settings, mesh_of(settings)) if settings is not None else {}
    owners = pods.finished(known)
    classes: dict[Carried, _Class] = {}
    for number, owner in enumerate(owners):
        for carried, count in owner.next():
            found = classes.setdefault(carried, _Class())
            found.pods += count
            found.owners[owner.title] = found.owners.get(owner.title, 0) + count
            found.namespaces.add((owner.cluster, owner.namespace))
            found.numbers.append(number)
    told = {
        carried: _told(compared, pods.annotations(carried), views, found)
        for carried, found in classes.items()
    }
    changing = {carried for carried, one in told.items() if one.changes and not one.stops}
    ranks: dict[int, int] = {}
    chosen: dict[int, None] = {}
    for carried in changing:
        rank = _rank(compared, pods.annotations(carried), views)
        for number in classes[carried].numbers:
            ranks[number] = max(rank, ranks.get(number, 0))
            chosen[number] = None
    order = sorted(chosen)
    made = plan(
        [owners[number] for number in order],
        owners,
        pods.budgets,
        pods.services,
        {place: ranks[number] for place, number in enumerate(order)},
    )
    stopped = [
        (one.titles, f"the next pod would not start: {one.stops}")
        for one in told.values()
        if one.stops
    ]
    changed = [classes[carried] for carried, one in told.items() if one.changes]
    return Restarts(
        rule=rule(compared, changes),
        by_annotations=by_annotations(compared, changes),
        given=True,
        pods=sum(one.pods for one in changed),
        of=sum(one.pods for one in classes.values()),
        namespaces=len({place for one in changed for place in one.namespaces}),
        scripts=len({one.digest_after for one in told.values() if one.digest_after}),
        classes=tuple(sorted(told.values(), key=lambda one: (not one.changes, -one.pods))),
        waves=made.waves,
        held=(*stopped, *made.held),
    )


def _told(
    compared: Comparison,
    annotations: Mapping[str, str],
    views: tuple[MeshView, ...],
    found: _Class,
) -> PodClass:
    before, after = (_side(annotations, view) for view in views)
    changes = _changes(compared, before, after)
    stops = after.no_scripts if after.no_scripts and not before.no_scripts else ""
    if MESH in after.scripts and not (MESH in before.scripts and refused(before, MESH)):
        stops = refused(after, MESH)
    largest = sorted(found.owners.items(), key=lambda item: (-item[1], item[0]))
    differ = bool(changes) or (MESH in before.scripts) != (MESH in after.scripts)
    return PodClass(
        pods=found.pods,
        owners=tuple(largest[:_OWNERS_SHOWN]),
        owner_count=len(largest),
        namespaces=len(found.namespaces),
        annotations=dict(annotations),
        digest_before=_digest(before),
        digest_after=_digest(after),
        changes=differ or bool(stops),
        stops=stops,
        traffic=tuple(one.sentence.replace(" on every pod", "") for one in changes),
    )


def _rank(
    compared: Comparison, annotations: Mapping[str, str], views: tuple[MeshView, ...]
) -> int:
    before, after = (_side(annotations, view) for view in views)
    levels = [one.risk.level for one in _changes(compared, before, after)]
    return max((level.rank for level in levels), default=Level.NONE.rank)


def _changes(compared: Comparison, before: Side, after: Side) -> tuple[TrafficChange, ...]:
    if MESH not in before.scripts or MESH not in after.scripts:
        return ()
    pair = Pair(name=MESH, before=(before, MESH), after=(after, MESH))
    told = traffic_changes((pair,), compared.fates, compared.known, egress=compared.egress)
    return told.changes


def _side(annotations: Mapping[str, str], view: MeshView) -> Side:
    """The script of pods that carry these annotations; without one where they get none."""
    name = SideName(title="pods", kind="script")
    if not view.system.intercepts(view.interception_mode):
        return Side(name=name, scripts={})
    try:
        made = interception(annotations, view)
    except Refusal as refusal:
        return Side(
            name=name, scripts={}, no_scripts=f"the injector refuses it: {refusal.message}"
        )
    return Side(name=name, scripts={MESH: made.script}, system=view.system)


def _digest(side: Side) -> str:
    text = side.scripts.get(MESH)
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
