"""The order of restarts: waves in which no budget is undercut, the riskiest owners last.

``kubectl rollout restart`` asks no PodDisruptionBudget: the owner's own strategy alone says how
many pods it takes down at a time. So owners under one budget share a wave only where all their
pods that may be down together leave the budget what it asks for.

Sources: k8s.io/kubernetes pkg/controller/deployment/util, ResolveFenceposts;
pkg/controller/disruption, getExpectedPodCount.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.review.reports.outcome import WaveStep
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.verify.commands import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fsm_stack.review.restarting.pods import Owner
    from fsm_stack.yaml import Json

# The first wave is one owner, to see that it works; then so many.
FIRST: Final = 1
LATER: Final = 20
_QUARTER: Final = "25%"
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget, as it was read.

    Attributes:
        cluster: as an owner's.
        namespace: of its pods.
        name: its name.
        selector: of its pods; an empty one is every pod.
        least: ``minAvailable``; None: it has none.
        most: ``maxUnavailable``; None: it has none.
    """

    cluster: str
    namespace: str
    name: str
    selector: Json
    least: int | str | None
    most: int | str | None

    def holds(self, owner: Owner) -> bool:
        """Whether an owner's pods are under it."""
        return (
            self.cluster == owner.cluster
            and self.namespace == owner.namespace
            and selects(self.selector, owner.labels)
        )


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes pods with these labels; an empty one takes all.

    Source: k8s.io/apimachinery pkg/apis/meta/v1, LabelSelectorAsSelector.
    """
    wanted = texts(selector.get("matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(one, labels) for one in mappings(selector.get("matchExpressions")))


def _meets(one: Json, labels: Mapping[str, str]) -> bool:
    key, values = text(one.get("key")), one.get("values")
    known = values if isinstance(values, list) else []
    match one.get("operator"):
        case "In":
            return labels.get(key) in known
        case "NotIn":
            return labels.get(key) not in known
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The waves; held: owners that cannot restart, each with why and what to do."""

    waves: tuple[tuple[WaveStep, ...], ...]
    held: tuple[tuple[str, str], ...]


def plan(
    owners: Sequence[Owner],
    every: Iterable[Owner],
    budgets: Sequence[Budget],
    services: Sequence[Budget],
    ranks: Mapping[int, int],
) -> Plan:
    """The waves of the owners that have to restart.

    Args:
        owners: those.
        every: all that were read: a budget counts the pods of those, too, that do not restart.
        budgets: all that were read.
        services: Services as budgets of a share: their owners share no wave beyond it.
        ranks: how risky an owner's change is, by its place in ``owners``; the highest comes last.
    """
    spare = {
        index: allowed(budget, sum(one.running for one in every_of(budget, every)))
        for index, budget in enumerate(budgets)
    }
    under = {
        number: [index for index, budget in enumerate(budgets) if budget.holds(owner)]
        for number, owner in enumerate(owners)
    }
    shares = {
        index: allowed(service, sum(one.count for one in every_of(service, every)))
        for index, service in enumerate(services)
    }
    behind = {
        number: [index for index, service in enumerate(services) if service.holds(owner)]
        for number, owner in enumerate(owners)
    }
    held: list[tuple[str, str]] = []
    waiting = []
    for number, owner in enumerate(owners):
        down = unavailable(owner)
        tight = [budgets[index] for index in under[number] if down > spare[index]]
        if tight:
            held.append((owner.title, _why(tight[0], down)))
        else:
            waiting.append(number)
    waiting.sort(key=lambda number: (ranks.get(number, 0), owners[number].count, number))
    waves: list[tuple[WaveStep, ...]] = []
    while waiting:
        left = dict(spare)
        busy: dict[int, int] = {}
        taken: list[int] = []
        for number in waiting:
            if len(taken) == (LATER if waves else FIRST):
                break
            down = unavailable(owners[number])
            more = owners[number].count
            crowded = any(
                busy.get(index) and busy[index] + more > shares[index] for index in behind[number]
            )
            if not crowded and all(down <= left[index] for index in under[number]):
                taken.append(number)
                for index in under[number]:
                    left[index] -= down
                for index in behind[number]:
                    busy[index] = busy.get(index, 0) + more
        waves.append(tuple(_step(owners[number]) for number in taken))
        gone = set(taken)
        waiting = [number for number in waiting if number not in gone]
    return Plan(waves=tuple(waves), held=tuple(held))


def every_of(budget: Budget, owners: Iterable[Owner]) -> list[Owner]:
    """The owners whose pods are under a budget."""
    return [owner for owner in owners if budget.holds(owner)]


def allowed(budget: Budget, pods: int) -> int:
    """How many of a budget's pods may be down at a time, when all of them run.

    Percentages are rounded up, of ``minAvailable`` and of ``maxUnavailable``.
    """
    if budget.least is not None:
        return max(0, pods - _scaled(budget.least, pods, up=True))
    if budget.most is not None:
        return min(pods, _scaled(budget.most, pods, up=True))
    return pods


def unavailable(owner: Owner) -> int:
    """How many of an owner's pods its rollout takes down at a time, at most."""
    count = owner.size
    strategy = owner.strategy
    rolling = mapping(strategy.get("rollingUpdate"))
    if owner.kind == "Deployment":
        if strategy.get("type") == "Recreate":
            return count
        down = _scaled(rolling.get("maxUnavailable", _QUARTER), count, up=False)
        surge = _scaled(rolling.get("maxSurge", _QUARTER), count, up=True)
        # Both may round to nothing, and then nothing would ever move.
        return min(count, down if down or surge else 1)
    if owner.kind == "DaemonSet" and strategy.get("type") != "OnDelete":
        down = _scaled(rolling.get("maxUnavailable", 1), count, up=True)
        surge = _scaled(rolling.get("maxSurge", 0), count, up=True)
        return min(count, down if down or surge else 1)
    if owner.kind == "StatefulSet" and strategy.get("type") != "OnDelete":
        return min(count, max(1, _scaled(rolling.get("maxUnavailable", 1), count, up=True)))
    return owner.count  # deleted by hand, all that the command names


def _scaled(value: object, whole: int, *, up: bool) -> int:
    """A number, or a percentage of a whole; what is neither counts as all of it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    number = value.removesuffix("%") if isinstance(value, str) else ""
    if isinstance(value, str) and value.endswith("%") and number.isdecimal():
        share = int(number) * whole / _PERCENT
        return math.ceil(share) if up else math.floor(share)
    return whole


def _why(budget: Budget, down: int) -> str:
    return (
        f"PodDisruptionBudget {budget.namespace}/{budget.name} lets fewer than {down} of its pods "
        "be down, and a rollout takes so many: run more replicas, or give its strategy "
        "maxUnavailable 0 with a surge"
    )


def _step(owner: Owner) -> WaveStep:
    what, place = f"{owner.kind.lower()}/{owner.name}", owner.namespace
    rolls = owner.kind in ("Deployment", "DaemonSet", "StatefulSet")
    if rolls and owner.strategy.get("type") != "OnDelete":
        command = kubectl("rollout", "restart", what, "-n", place, context=owner.cluster)
        wait = kubectl(
            "rollout", "status", what, "-n", place, "--timeout=10m", context=owner.cluster
        )
    elif owner.kind == "Pod":
        command, wait = (
            kubectl("delete", "pod", owner.name, "-n", place, context=owner.cluster),
            "",
        )
    else:
        command, wait = f"# {owner.title}: delete its pods, it makes them anew", ""
    return WaveStep(
        owner=owner.title,
        pods=owner.count,
        unavailable=unavailable(owner),
        command=command or f"# {owner.kind}: its name is no name of Kubernetes'",
        wait=wait,
    )
