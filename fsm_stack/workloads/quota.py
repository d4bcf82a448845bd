"""What a namespace's LimitRanges and ResourceQuotas say of a pod, in the API server's words.

Source: Kubernetes, plugin/pkg/admission/limitranger and resourcequota, pkg/quota/v1/evaluator/core
pods.go. Defaults of a LimitRange reach containers that a webhook adds: the API server runs its own
admission again after webhooks. A quota with scopes is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from fsm_stack.units import amount
from fsm_stack.workloads.objects import object_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.yaml import Json

COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_KINDS: Final = ("requests", "limits")
Amounts = dict[str, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A container, as far as quotas go.

    Attributes:
        name: its name; empty: nobody says it.
        init: it ends before the others start.
        resources: ``requests`` and ``limits``, each by resource, as text.
    """

    name: str = ""
    init: bool = False
    resources: Mapping[str, Mapping[str, str]]


def refusals(
    containers: Sequence[Limited], ranges: Iterable[Json], quotas: Iterable[Json]
) -> Iterator[tuple[str, str, str]]:
    """Who refuses a pod of these containers: kind and name, and the API server's words.

    Args:
        containers: all of the pod.
        ranges: the namespace's LimitRanges.
        quotas: its ResourceQuotas, with their status.
    """
    limits = list(ranges)
    known = [(one, _known(one, limits)) for one in containers]
    for item in limits:
        name = str(object_at(item, ("metadata",)).get("name"))
        for entry in _of_containers(item):
            for one, resources in known:
                yield from (("LimitRange", name, said) for said in _outside(one, resources, entry))
    for item in quotas:
        spec = object_at(item, ("spec",))
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        name = str(object_at(item, ("metadata",)).get("name"))
        if said := _unspecified(known, _hard(item)) or _exceeded(known, item):
            yield "ResourceQuota", name, f"{said[0]} quota: {name}{said[1]}"


def _of_containers(item: Json) -> Iterator[Json]:
    entries = object_at(item, ("spec",)).get("limits")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("type") == "Container":
            yield entry


def _hard(item: Json) -> dict[str, str]:
    return _texts(object_at(item, ("spec",)).get("hard"))


def _texts(value: object) -> dict[str, str]:
    known = value if isinstance(value, dict) else {}
    return {str(name): str(one) for name, one in known.items()}


def _known(one: Limited, ranges: list[Json]) -> dict[str, Amounts]:
    """A container's amounts, with what the API server fills in."""
    found: dict[str, Amounts] = {kind: _amounts(one.resources.get(kind)) for kind in _KINDS}
    for name, value in found["limits"].items():
        found["requests"].setdefault(name, value)
    for item in ranges:
        for entry in _of_containers(item):
            limits = _amounts(entry.get("max")) | _amounts(entry.get("default"))
            for name, value in limits.items():
                found["limits"].setdefault(name, value)
            for name, value in (limits | _amounts(entry.get("defaultRequest"))).items():
                found["requests"].setdefault(name, value)
    return found


def _amounts(value: object) -> Amounts:
    read = {name: amount(text) for name, text in _texts(value).items() if name in COMPUTE}
    return {name: number for name, number in read.items() if number is not None}


def _outside(one: Limited, known: dict[str, Amounts], entry: Json) -> Iterator[str]:
    for name, most in _amounts(entry.get("max")).items():
        for kind in ("limits", "requests"):  # of the two the first is said
            if known[kind].get(name, most) > most:
                given = one.resources.get(kind, {}).get(name)
                yield (
                    f"maximum {name} usage per Container is {entry['max'][name]}, but "
                    f"{kind.removesuffix('s')} is {given}{_of(one)}"
                )
                break
    for name, least in _amounts(entry.get("min")).items():
        if name not in known["requests"]:
            yield (
                f"minimum {name} usage per Container is {entry['min'][name]}. No request is "
                f"specified{_of(one)}"
            )
        elif known["requests"][name] < least:
            yield (
                f"minimum {name} usage per Container is {entry['min'][name]}, but request is "
                f"{one.resources.get('requests', {}).get(name)}{_of(one)}"
            )


def _of(one: Limited) -> str:
    return f" (container {one.name})" if one.name else ""


def _asked(key: str) -> tuple[str, str]:
    """``requests`` or ``limits``, and the resource: ``cpu`` alone means requests."""
    kind, dot, name = key.partition(".")
    return (kind, name) if dot and kind in _KINDS else ("requests", key)


def _unspecified(
    known: list[tuple[Limited, dict[str, Amounts]]], hard: Mapping[str, str]
) -> tuple[str, str] | None:
    lacking = {}
    for key in sorted(hard):
        kind, name = _asked(key)
        if name in COMPUTE:
            names = sorted(
                one.name or "a container" for one, amounts in known if name not in amounts[kind]
            )
            if names:
                lacking[key] = ",".join(dict.fromkeys(names))
    if not lacking:
        return None
    said = "; ".join(f"{key} for: {names}" for key, names in lacking.items())
    return "failed", f": must specify {said}"


def _exceeded(
    known: list[tuple[Limited, dict[str, Amounts]]], item: Json
) -> tuple[str, str] | None:
    """The first amount of which too little is left."""
    hard, used = _hard(item), _texts(object_at(item, ("status",)).get("used"))
    for key in sorted(hard):
        kind, name = _asked(key)
        most, there = amount(hard[key]), amount(used.get(key, ""))
        if name not in COMPUTE or most is None or there is None:
            continue
        asked = _together(known, kind, name)
        if asked and there + asked > most:
            taken = f"requested: {key}={_shown(asked)}, used: {key}={used[key]}"
            return "exceeded", f", {taken}, limited: {key}={hard[key]}"
    return None


def _together(known: list[tuple[Limited, dict[str, Amounts]]], kind: str, name: str) -> Fraction:
    """What a pod takes: all of its containers, or the init container that takes most."""
    sizes = [(one.init, amounts[kind].get(name, Fraction(0))) for one, amounts in known]
    plain = sum((size for init, size in sizes if not init), Fraction(0))
    return max([plain, *(size for init, size in sizes if init)])


def _shown(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{value * 1000}m"
