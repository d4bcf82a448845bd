"""Two sides in, one review out: the four layers, what was declared, the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.injector.of_settings import mesh_of
from fsm_stack.iptables.sets.written import written
from fsm_stack.lists import MESH
from fsm_stack.review.changes import object_changes, setting_changes
from fsm_stack.review.contracts import Prover, contracts_of
from fsm_stack.review.fates import Fates, pairs, rules_changes, traffic_of
from fsm_stack.review.intent import held_to, marked
from fsm_stack.review.model import Layer, Level, Review
from fsm_stack.review.reports.outcome import Restarts
from fsm_stack.review.reports.words import Known, known_of
from fsm_stack.review.restarting.classes import (
    by_annotations,
    meshes,
    restarts,
    rule,
    with_workloads,
)
from fsm_stack.review.restarting.pods import Pods
from fsm_stack.review.risk import highest, risk
from fsm_stack.review.traffic import traffic_changes
from fsm_stack.settings.effective import places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.findings.finding import Finding
    from fsm_stack.review.contracts import Placed
    from fsm_stack.review.fates import Pair
    from fsm_stack.review.intent import Held, Intent
    from fsm_stack.review.model import SettingChange, TrafficChange
    from fsm_stack.review.side import Side

NO_CNI: Final = (
    "iptables sees the address that the application dials: a CNI that rewrites service addresses "
    "at the socket (Cilium's socket load balancer) makes ranges of services match nothing"
)
MERGE: Final = "a pod gets the mesh's lists and its own annotations', merged as the injector does"
IPV6: Final = "IPv6 is not redirected on either side"
FIRST: Final = "a connection is judged by its first packet; open ones stay as they are"
NEW_PODS: Final = (
    "New pods change at once, running ones at their restart: the init script runs once."
)
NO_PODS: Final = (
    "No pod changes by this alone: those change that are given the profile's annotations."
)


class Comparison:
    """One comparison of two sides; what restarts and contracts need of it is kept.

    Args:
        before: the first side.
        after: the second side.
        intents: what was declared beforehand.
        shared: contracts that bind every stack of the project.
        gone: those among them that the change takes away.
    """

    def __init__(
        self,
        before: Side,
        after: Side,
        *,
        intents: Sequence[Intent] = (),
        shared: Sequence[Placed] = (),
        gone: Sequence[Placed] = (),
    ) -> None:
        self.before, self.after = before, after
        self.intents = intents
        bound = after.name.kind == "stack"
        self.contracts = contracts_of(after, shared, before=before) if bound else ()
        self.gone = tuple(one.text for one in gone)
        self.fates = Fates()
        self.known = known_of(after.settings or before.settings)
        # A change of one stack does not say by itself what its cluster's pods and services are:
        # connections to the old ranges are to the cluster's own still.
        self.same = bool(before.name.commit) and before.settings is not None and bound
        if self.same:
            self.known = _both(self.known, known_of(before.settings))
        self.pairs, self.notes = _compared(before, after)
        settings = after.settings or before.settings
        self.egress = settings is None or settings.traffic.enable_egress

    @property
    def places(self) -> Mapping[str, Sequence[str]]:
        """The ranges behind the names of contracts and declared changes."""
        return places_of(self.after.settings or self.before.settings)

    def _places_before(self) -> Mapping[str, Sequence[str]]:
        """The ranges behind the names as the first side has them, where it is the same stack."""
        if not self.same:
            return self.places
        was = places_of(self.before.settings)
        return {name: was.get(name) or ranges for name, ranges in self.places.items()}

    def _bound(self) -> Mapping[str, Sequence[str]]:
        """What contracts hold for: the ranges of both sides, where it is the same stack."""
        was = self._places_before()
        return {
            name: tuple(dict.fromkeys((*ranges, *was[name])))
            for name, ranges in self.places.items()
        }

    def _narrowed(self, changes: Sequence[SettingChange]) -> tuple[SettingChange, ...]:
        """The changes, those graded that take ranges away which a contract speaks of by name."""
        fewer = [one for one in changes if one.path.startswith("cluster.") and one.what != "added"]
        if not fewer:
            return tuple(changes)
        was = self._places_before()
        old = [written(one.contract.traffic) for one in self.contracts if not one.new]
        less = any(
            traffic_of(one.regions(was)) - traffic_of(one.regions(self.places)) for one in old
        )
        graded = risk("contract-narrowed") if less else None
        return tuple(replace(one, risk=graded) if one in fewer else one for one in changes)

    def _prover(self, pods: Pods | None) -> Prover:
        """What proves the second side's contracts, for given workloads, too."""
        return Prover(
            side=self.after if pods is None else with_workloads(self.after, pods),
            fates=self.fates,
            known=self.known,
            places=self._bound(),
            places_before=self._places_before(),
            before=self.before if pods is None else with_workloads(self.before, pods, every=True),
        )

    def pods(self) -> Pods | None:
        """What collects workloads for :meth:`review`; None: a side does not say its MeshConfig."""
        views = meshes(self)
        return None if views is None else Pods(views[1])

    def review(self, *, pods: Pods | None = None, notes: Iterable[str] = ()) -> Review:
        """Everything that differs, in one value.

        Raises:
            InputError: a declared change speaks of what neither side has.
        """
        told = traffic_changes(self.pairs, self.fates, self.known, egress=self.egress)
        held = self._held()
        changes = told.changes if held is None else marked(told.changes, held)
        settings = self._narrowed(setting_changes(self.before, self.after))
        objects = object_changes(self.before, self.after)
        undecided = (*_modes(self.before, self.after), *told.undecided)
        counted = changes if held is None else held.collateral
        broken = self._prover(pods).broken(self.contracts)
        expected = () if held is None else held.expected
        known = self._restarts(told.changes, pods)
        risks = [
            *(risk("script-refused") for _ in known.stopped),
            *(one.risk for one in counted),
            *(risk("contract-broken") for one in broken if not one.before),
            *(risk("declared-missing") for one in expected if one.missing and not one.happens),
            *(one.risk for one in settings if one.risk is not None),
            *(one.risk for one in objects if one.risk is not None),
            *(risk("contract-dropped") for _ in self.gone),
        ]
        level = Level.HIGH if undecided else highest(risks)
        found = Review(
            before=self.before.name,
            after=self.after.name,
            headline="",
            risk=level,
            declared=highest([one.risk for one in changes if one.meant]),
            layers=_layers(self.before, self.after, self.pairs),
            traffic=changes,
            settings=settings,
            objects=objects,
            rules=rules_changes(self.pairs, self.fates),
            undecided=undecided,
            expected=expected,
            collateral=() if held is None else held.collateral,
            broken=broken,
            contracts=0 if self.after.no_scripts else len(self.contracts),
            gone=self.gone,
            restarts=known,
            assumptions=self._assumptions(),
            notes=(*self.notes, *self._unproved(), *_images(self.before, self.after), *notes),
            findings=_new_findings(self.before, self.after),
        )
        return replace(found, headline=_headline(found))

    def _restarts(self, changes: Sequence[TrafficChange], pods: Pods | None) -> Restarts:
        views = meshes(self)
        if pods is None or views is None:
            return Restarts(rule=rule(self, changes), by_annotations=by_annotations(self, changes))
        return restarts(self, changes, pods, views)

    def _unproved(self) -> Iterator[str]:
        """That no contract is proved, where neither side has scripts: else that is undecided."""
        if self.contracts and self.before.no_scripts and self.after.no_scripts:
            yield f"no contract is proved: {self.after.no_scripts}"

    def _held(self) -> Held | None:
        if not self.intents:
            return None
        return held_to(
            self.intents, self.pairs, self.fates, self.known, self.places, egress=self.egress
        )

    def _assumptions(self) -> tuple[str, ...]:
        found = [FIRST, IPV6, NO_CNI]
        if any(pair.name != MESH for pair in self.pairs):
            found.append(MERGE)
        return tuple(dict.fromkeys((*found, *self.before.assumes, *self.after.assumes)))


def _both(one: Known, other: Known) -> Known:
    """What two know; an address has the name that the first one gives it."""
    return Known(
        pods=tuple(dict.fromkeys((*one.pods, *other.pods))),
        services=tuple(dict.fromkeys((*one.services, *other.services))),
        api=one.api,
        names=one.names,
    )


def _headline(found: Review) -> str:
    """What matters most, in one sentence."""
    late = [one for one in found.expected if one.missing and not one.happens]
    new = [one for one in found.broken if not one.before]
    if found.undecided:
        return f"What happens to traffic cannot be told: {found.undecided[0]}"
    if found.restarts is not None and found.restarts.stopped:
        first = found.restarts.stopped[0]
        return f"{first[:1].upper()}{first[1:]}"
    if new:
        start = "New contract, not kept:" if new[0].new else "Breaks the contract"
        return f"{start} {new[0].contract}: {new[0].said}"
    if found.collateral and found.expected:
        return f"Not declared: {found.collateral[0].sentence}"
    if late:
        return f"Declared, and does not happen: {late[0].missing} ({late[0].text})"
    if found.expected and found.traffic:
        return "What was declared happens, and no other connection changes its way"
    if found.traffic:
        return found.traffic[0].sentence
    told = [(one.risk, one.path) for one in found.settings if one.risk is not None]
    told += [(one.risk, f"{one.kind} {one.name}") for one in found.objects if one.risk is not None]
    told += [(risk("contract-dropped"), one) for one in found.gone]
    if told:
        worst, path = max(told, key=lambda one: one[0].level.rank)
        return f"{worst.why[:1].upper()}{worst.why[1:]} ({path})"
    if found.nothing:
        written = found.settings or found.objects or found.rules
        return "Nothing changes" + (": it is the same, written otherwise" if written else "")
    return (
        "No connection changes its way" if "traffic" in found.layers else "No scripts to compare"
    )


def _compared(before: Side, after: Side) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The scopes; a script is one scope, whatever the other side has beside it."""
    if before.no_scripts or after.no_scripts:
        return (), ()
    found, notes = pairs(before, after)
    if "script" in (before.name.kind, after.name.kind):
        return tuple(pair for pair in found if pair.name in before.scripts), ()
    return found, notes


def _layers(before: Side, after: Side, compared: Sequence[Pair]) -> tuple[Layer, ...]:
    found: list[Layer] = []
    if before.settings is not None and after.settings is not None:
        found.append("settings")
    if before.objects is not None and after.objects is not None:
        found.append("objects")
    if compared:
        found += ["rules", "traffic"]
    return tuple(found)


def _images(before: Side, after: Side) -> Iterator[str]:
    """What pods get beside their rules: running ones keep the old images until they restart."""
    if before.settings is None or after.settings is None:
        return
    one, two = (mesh_of(side.settings) for side in (before, after) if side.settings is not None)
    for what, old, new in (
        ("sidecar", one.sidecar_image, two.sidecar_image),
        ("init container", one.init_image, two.init_image),
    ):
        if old != new:
            yield f"new pods get {what} {new}; running ones keep {old} until they restart"


def _modes(before: Side, after: Side) -> Iterator[str]:
    """What cannot be told because a side's pods get no script; where neither gets one, nothing."""
    if bool(before.no_scripts) != bool(after.no_scripts):
        side, why = (after, after.no_scripts) if after.no_scripts else (before, before.no_scripts)
        yield f"{side.name.title}: {why}"


# What leaves the mesh with a port is what a review is about: it says so with the packets.
_SAID_HERE: Final = "excludes-mesh-port"


def _new_findings(before: Side, after: Side) -> tuple[Finding, ...]:
    if before.settings is None or after.settings is None:
        return ()
    said = {(item.id, item.message, item.place.path) for item in before.findings}
    return tuple(
        item
        for item in after.findings
        if (item.id, item.message, item.place.path) not in said and item.id != _SAID_HERE
    )
