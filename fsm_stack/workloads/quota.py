"""What a namespace's ResourceQuotas and LimitRanges refuse of a pod, as the API server says it.

Source: Kubernetes, plugin/pkg/admission/limitranger and resourcequota; pods.go in
pkg/quota/v1/evaluator/core; defaults.go in pkg/apis/core/v1. The built-in plugins run again on
what a webhook changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.units import amount
from fsm_stack.workloads.objects import object_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.yaml import Json

QUOTA, RANGE = "ResourceQuota", "LimitRange"
COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_KINDS: Final = ("requests", "limits")
# Quotas of other scopes count other pods than those of a mesh, or not all of them.
_EVERY_POD: Final = frozenset({"NotTerminating", "NotBestEffort"})
Amounts = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A container, as far as quotas go.

    Attributes:
        name: its name; empty: nobody says it.
        init: it ends before the others start.
        resources: ``requests`` and ``limits``, each by resource.
    """

    name: str = ""
    init: bool = False
    resources: Mapping[str, Any]


def refusals(
    containers: Sequence[Limited], ranges: Iterable[Json], quotas: Iterable[Json]
) -> Iterator[tuple[str, str, str]]:
    """Who refuses a pod of these containers: kind and name, and the API server's words.

    Args:
        containers: all of the pod, or those that are asked about.
        ranges: the namespace's LimitRanges.
        quotas: its ResourceQuotas; without their status nobody knows what room is left.
    """
    items = [(_name(one), item) for one in ranges for item in _of_containers(one)]
    known = [(one, _defaulted(one, items)) for one in containers]
    for quota in filter(_of_every_pod, quotas):
        if said := _unset(quota, known) or _exceeded(quota, known):
            yield QUOTA, _name(quota), said
    for name, item in items:
        for one, amounts in known:
            yield from ((RANGE, name, said) for said in _outside(item, one, amounts))


def _name(manifest: Json) -> str:
    return str(object_at(manifest, ("metadata",)).get("name"))


def _of_containers(manifest: Json) -> Iterator[Amounts]:
    """The items of a LimitRange that are about containers, completed as Kubernetes does."""
    limits = object_at(manifest, ("spec",)).get("limits")
    for item in limits if isinstance(limits, list) else ():
        if isinstance(item, dict) and item.get("type") == "Container":
            most, least = _texts(item.get("max")), _texts(item.get("min"))
            default = most | _texts(item.get("default"))
            wanted = least | default | _texts(item.get("defaultRequest"))
            yield {"limits": most, "requests": least, "default": default, "wanted": wanted}


def _texts(value: object) -> dict[str, str]:
    """Amounts by resource, as text."""
    known = value if isinstance(value, dict) else {}
    return {
        str(name): str(one) for name, one in known.items() if isinstance(one, str | int | float)
    }


def _defaulted(one: Limited, ranges: Iterable[tuple[str, Amounts]]) -> Amounts:
    """A container's resources as admission sees them: a request is its limit where none is set."""
    limits = _texts(one.resources.get("limits"))
    requests = limits | _texts(one.resources.get("requests"))
    for _, item in ranges:
        limits, requests = item["default"] | limits, item["wanted"] | requests
    return {"limits": limits, "requests": requests}


def _of_every_pod(quota: Json) -> bool:
    spec = object_at(quota, ("spec",))
    scopes = spec.get("scopes")
    given = scopes if isinstance(scopes, list) else []
    return not spec.get("scopeSelector") and _EVERY_POD.issuperset(map(str, given))


def _asked(key: str) -> tuple[str, str]:
    """``requests`` or ``limits``, and the resource: ``cpu`` alone means requests."""
    kind, dot, name = key.partition(".")
    return (kind, name) if dot and kind in _KINDS else ("requests", key)


def _hard(quota: Json) -> dict[str, str]:
    hard = _texts(object_at(quota, ("spec",)).get("hard"))
    return {key: hard[key] for key in sorted(hard) if _asked(key)[1] in COMPUTE}


def _unset(quota: Json, known: list[tuple[Limited, Amounts]]) -> str:
    """What the quota counts and containers do not set."""
    told = []
    for key in _hard(quota):
        kind, resource = _asked(key)
        names = {one.name or "a container" for one, amounts in known
                 if resource not in amounts[kind]}  # fmt: skip
        if names:
            told.append(f"{key} for: {','.join(sorted(names))}")
    return f"failed quota: {_name(quota)}: must specify {'; '.join(told)}" if told else ""


def _outside(item: Amounts, one: Limited, amounts: Amounts) -> Iterator[str]:
    """Amounts beyond the range's: a limit has to be at most that, a request at least."""
    whose = f" (container {one.name})" if one.name else ""
    for of, bound in (("limits", "maximum"), ("requests", "minimum")):
        for resource, text in item[of].items():
            given, edge = amount(amounts[of].get(resource, "")), amount(text)
            if given is None or edge is None:
                continue
            if given > edge if of == "limits" else given < edge:
                yield (
                    f"{bound} {resource} usage per Container is {text}, but "
                    f"{of.removesuffix('s')} is {amounts[of][resource]}{whose}"
                )


def _exceeded(quota: Json, known: list[tuple[Limited, Amounts]]) -> str:
    """The first amount of which too little is left."""
    used = _texts(object_at(quota, ("status",)).get("used"))
    for key, text in _hard(quota).items():
        kind, name = _asked(key)
        most, there = amount(text), amount(used.get(key, ""))
        if most is None or there is None:
            continue
        asked = _together(known, kind, name)
        if asked and there + asked > most:
            taken = f"requested: {key}={_shown(asked)}, used: {key}={used[key]}"
            return f"exceeded quota: {_name(quota)}, {taken}, limited: {key}={text}"
    return ""


def _together(known: list[tuple[Limited, Amounts]], kind: str, name: str) -> Fraction:
    """What a pod takes: all of its containers, or the init container that takes most."""
    sizes = [(one.init, amount(amounts[kind].get(name, "")) or Fraction(0))
             for one, amounts in known]  # fmt: skip
    plain = sum((size for init, size in sizes if not init), Fraction(0))
    return max([plain, *(size for init, size in sizes if init)])


def _shown(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{value * 1000}m"
