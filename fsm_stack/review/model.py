"""What a review says, as values: every report is made of this model, and JSON is its fields.

Texts hold what somebody wrote into a file or a cluster. They are told as they are; each report
makes them harmless for its own form.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic.alias_generators import to_camel

from fsm_stack.iptables.sets.reach import SET_TEXTS, Region, set_text

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding
    from fsm_stack.review.reports.outcome import Broken, Expected, Restarts

# Of the JSON form. A field is added without a new number; one that goes, or changes its meaning,
# raises it.
SCHEMA_VERSION: Final = 1

What = Literal["added", "removed", "changed", "reordered", "replaced", "renamed"]
Effect = Literal["bypassed", "intercepted", "rewritten"]
Direction = Literal["outbound", "inbound"]
Layer = Literal["settings", "objects", "rules", "traffic"]


class Level(StrEnum):
    """How much a change can break or open; ordered by :attr:`rank`."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for none, 3 for high: to compare with ``--fail-on``."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A grade from the closed list of :mod:`fsm_stack.review.risk`.

    Attributes:
        id: stable, kebab-case.
        level: of this id.
        why: the reason, in a sentence.
    """

    id: str
    level: Level
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideName:
    """One of the two sides.

    Attributes:
        title: for people: ``dev``, ``dev at main``, ``rendered/dev``.
        kind: ``stack``, ``rendered``, ``cluster``, ``mesh-config`` or ``script``.
        file: the file it was read from; empty: there is none.
        commit: the full id where it is a Git revision; empty: it is none.
        version: the FSM release that it names; empty: it names none.
    """

    title: str
    kind: str
    file: str = ""
    commit: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """One setting that differs.

    Attributes:
        path: ``traffic.outboundPortExclusionList[443]``: entries of lists by their value or name.
        what: how it differs; ``reordered``: the same entries in another order.
        before: its value as JSON; None: it is not there.
        after: the same of the other side.
        before_place: ``Pulumi.dev.yaml:12``; empty: it is nowhere, a default.
        after_place: the same of the other side.
        note: whether only a reason, owner or end differs, which changes no object.
        risk: where the setting itself has one.
    """

    path: str
    what: What
    before: str | None
    after: str | None
    before_place: str = ""
    after_place: str = ""
    note: bool = False
    risk: Risk | None = None

    @property
    def inert(self) -> bool:
        """Whether no object says anything else for it, and nothing is held to less."""
        return self.risk is None and (self.note or self.what == "reordered")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an object.

    Attributes:
        path: ``spec.traffic.outboundPortExclusionList[443]``.
        what: how it differs.
        before: its value as JSON; None: it is not there, or is not told.
        after: the same of the other side.
        repeats: it says once more what the MeshConfig and the scripts say; its text is not told.
    """

    path: str
    what: What
    before: str | None
    after: str | None
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One Kubernetes object that differs.

    Attributes:
        kind: ``Deployment``.
        namespace: empty for cluster-wide ones.
        name: its name.
        what: ``replaced``: a field that Kubernetes does not let change differs.
        fields: what differs; of added and removed ones nothing.
        why: why it is replaced; empty: it is not.
        risk: where it has one.
    """

    kind: str
    namespace: str
    name: str
    what: What
    fields: tuple[FieldChange, ...] = ()
    why: str = ""
    risk: Risk | None = None

    @property
    def inert(self) -> bool:
        """Whether it holds the same values in another order, and nothing else."""
        return self.what == "changed" and all(
            one.repeats or one.what == "reordered" for one in self.fields
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule of a script: as it is spelt, and why it is there."""

    text: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChange:
    """The rules of some scopes that differ in the same way.

    Attributes:
        scopes: ``mesh`` and the names of profiles.
        added: rules that only the second side has.
        removed: rules that only the first side has.
        same_traffic: they differ as text, and no packet's verdict does.
        refused: why iptables does not load the second side's; empty: it does.
    """

    scopes: tuple[str, ...]
    added: tuple[RuleLine, ...]
    removed: tuple[RuleLine, ...]
    same_traffic: bool
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """An entry of the stack file behind a change.

    Attributes:
        path: ``traffic.outboundPortExclusionList[1]``.
        value: ``443``.
        reason: why; empty: nobody said.
        owner: whose; empty: nobody's.
        until: its last day.
        place: ``Pulumi.dev.yaml:13``; empty: unknown.
        side: which side has it.
    """

    path: str
    value: str
    reason: str
    owner: str
    until: date | None
    place: str
    side: Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRegion:
    """What changes on the pods of some scopes, exactly: every packet of it, and no other one."""

    scopes: tuple[str, ...]
    region: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one side does to the witness: the verdict, the rule that decides, its reason."""

    verdict: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One packet of a region, walked through both rule sets.

    Attributes:
        packet: ``tcp 10.96.0.1:443 over eth0, uid 1000``.
        question: the options of ``fsm-stack trace`` that ask about it.
        scope: whose rules.
        before: what the first side does to it.
        after: what the second side does.
    """

    packet: str
    question: str
    scope: str
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficChange:
    """Traffic whose verdict differs, of one kind, told in one sentence.

    Attributes:
        effect: newly bypassed, newly intercepted, or sent elsewhere.
        direction: outbound or inbound.
        sentence: what happens to whom, for people.
        subject: which traffic, the sentence's first part.
        said: the region of the sentence; it may be wider than what changes, by packets that have
            the same verdict on both sides.
        regions: exactly what changes, by scope.
        scopes: all of them.
        names: what is known of its addresses and ports.
        entries: the stack's own entries behind it.
        before: the verdict on the first side.
        after: the verdict on the second side.
        risk: its grade.
        witness: one packet of it.
        meant: it is an expected change, wholly.
    """

    effect: Effect
    direction: Direction
    sentence: str
    subject: str
    said: Region
    regions: tuple[ScopeRegion, ...]
    scopes: tuple[str, ...]
    names: tuple[str, ...]
    entries: tuple[EntryLine, ...]
    before: str
    after: str
    risk: Risk
    witness: Witness
    meant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything that a comparison of two sides found.

    Attributes:
        before: the first side.
        after: the second side.
        headline: the verdict in one sentence, what matters most first.
        risk: the highest of all changes that were not declared beforehand.
        declared: the highest of the changes of traffic that were.
        layers: what both sides have, and so was compared.
        traffic: what happens to connections, the riskiest first.
        settings: what was set otherwise.
        objects: what Kubernetes gets.
        rules: what the scripts say.
        undecided: what could not be compared, each with why.
        expected: the declared changes; collateral: what happens beside them, in words.
        broken: contracts that are not kept; contracts: how many were proved.
        gone: contracts of every stack that the change takes away; they were proved, too.
        restarts: who has to restart.
        assumptions: what the answer rests on.
        notes: what else is worth a line: a profile that was renamed, a version's own changes.
        findings: what the checks say of the second side and did not say of the first.
    """

    before: SideName
    after: SideName
    headline: str
    risk: Level
    layers: tuple[Layer, ...]
    declared: Level = Level.NONE
    traffic: tuple[TrafficChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    rules: tuple[RulesChange, ...] = ()
    undecided: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    collateral: tuple[TrafficChange, ...] = ()
    broken: tuple[Broken, ...] = ()
    contracts: int = 0
    gone: tuple[str, ...] = ()
    restarts: Restarts | None = None
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def risk_text(self) -> str:
        """The risk in a word or two, as every report says it first."""
        if self.risk is Level.NONE and self.declared is not Level.NONE:
            return f"{self.declared.value}, declared"
        return "nothing" if self.nothing and self.risk is Level.NONE else self.risk.value

    @property
    def nothing(self) -> bool:
        """Whether the sides mean the same in every layer, however they are written."""
        told = any(not one.repeats for item in self.objects for one in item.fields)
        alone = bool(self.objects) and not told and not self.settings
        new = any(not one.before for one in self.broken)
        return not (self.traffic or self.undecided or self.gone or new or alone) and all(
            (
                all(one.inert for one in self.settings),
                all(one.inert for one in self.objects),
                all(one.same_traffic for one in self.rules),
            )
        )

    def stops(self, fail_on: Level) -> bool:
        """Whether the change is not to be merged as it is."""
        missed = any(not one.happens for one in self.expected)
        new = any(not one.before for one in self.broken)
        reached = self.risk is not Level.NONE and self.risk.rank >= fail_on.rank
        return reached or missed or new or bool(self.expected and self.collateral)

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``--output json``."""
        found: dict[str, Any] = plain(self)
        return {"schemaVersion": SCHEMA_VERSION, "nothing": self.nothing, **found}


def plain(value: Any) -> Any:  # noqa: ANN401  # values of the model, JSON out
    """A value of the model as JSON types; field names are camelCase."""
    if isinstance(value, Region):
        return _region(value)
    if hasattr(value, "as_json") and not isinstance(value, Review):
        return value.as_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {to_camel(one.name): plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _region(region: Region) -> dict[str, Any]:
    """A region's sets as text, and the two that have a scale as numbers, both ends inside."""
    return {
        "direction": region.direction,
        **{name: set_text(region, name) for name in SET_TEXTS},
        "destinationSpans": [[start, stop - 1] for start, stop in region.destinations],
        "portSpans": [[start, stop - 1] for start, stop in region.ports],
    }
