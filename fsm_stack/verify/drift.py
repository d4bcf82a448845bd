"""A live object against the declared one, field by field, and who wrote what differs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.shape import mapping, mappings
from fsm_stack.units import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.manifests.foreign import ForeignPath

_INDEX: Final = re.compile(r"\[\d+\]")
ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One field that differs.

    Attributes:
        path: ``spec.traffic.enableEgress``.
        declared: its declared value; ``ABSENT``: nothing is declared.
        live: its value in the cluster; ``ABSENT``: it is not there.
        writers: the field managers that own it, newest first.
    """

    path: str
    declared: object
    live: object
    writers: tuple[str, ...] = ()


def drifts(
    declared: Any,  # noqa: ANN401  # decoded JSON
    live: Any,  # noqa: ANN401  # decoded JSON
    path: str = "",
) -> Iterator[Drift]:
    """Every field that differs; what the server adds with an empty value does not count."""
    if isinstance(declared, dict) and isinstance(live, dict):
        for key in declared:
            yield from drifts(declared[key], live.get(key, ABSENT), f"{path}.{key}".lstrip("."))
        for key in live:
            if key not in declared and live[key] not in (None, False, "", 0, [], {}):
                yield Drift(path=f"{path}.{key}".lstrip("."), declared=ABSENT, live=live[key])
    elif isinstance(declared, list) and isinstance(live, list) and len(declared) == len(live):
        for index, (one, other) in enumerate(zip(declared, live, strict=True)):
            yield from drifts(one, other, f"{path}[{index}]")
    elif not _same(declared, live) and not (
        live is ABSENT and declared in (None, False, "", 0, [], {})
    ):
        yield Drift(path=path, declared=declared, live=live)


def _same(declared: object, live: object) -> bool:
    """Whether two values are one; Go writes a duration of 24h as 24h0m0s."""
    if declared == live:
        return True
    if not isinstance(declared, str) or not isinstance(live, str):
        return False
    length = nanoseconds(declared)
    return length is not None and length == nanoseconds(live)


def expected_writer(path: str, foreign: Iterable[ForeignPath]) -> ForeignPath | None:
    """The one who writes a field on purpose; None: it is nobody's but ours."""
    general = _INDEX.sub("[*]", path)
    return next(
        (
            known
            for known in foreign
            if general == known.path or general.startswith((f"{known.path}.", f"{known.path}["))
        ),
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who wrote a field.

    Attributes:
        name: as it called itself, ``kubectl-patch``.
        when: the API server's text; empty: unknown.
        operation: ``Apply``, or ``Update``.
    """

    name: str
    when: str = ""
    operation: str = ""

    def __str__(self) -> str:
        """``kubectl-patch at 2026-06-30T09:00:00Z``."""
        return f"{self.name} at {self.when}" if self.when else self.name


def managers(item: Mapping[str, Any], path: str) -> tuple[Manager, ...]:
    """The field managers that own a field, newest first.

    Source: Kubernetes, metadata.managedFields with FieldsV1. Items of a list that has no keys
    belong to the whole list.
    """
    steps = [step for step in _INDEX.sub("", path).split(".") if step]
    found = [
        Manager(
            name=str(entry.get("manager") or "unknown"),
            when=str(entry.get("time") or ""),
            operation=str(entry.get("operation") or ""),
        )
        for entry in mappings(mapping(item.get("metadata")).get("managedFields"))
        if _owns(entry.get("fieldsV1"), steps)
    ]
    return tuple(sorted(found, key=lambda one: (one.when, one.name), reverse=True))


def writers(item: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The field managers that own a field, newest first, each with its time."""
    return tuple(map(str, managers(item, path)))


def _owns(fields: object, steps: list[str]) -> bool:
    current: Any = fields
    for step in steps:
        if not isinstance(current, dict):
            return False
        following = current.get(f"f:{step}")
        if following is None:
            # Items of a keyed list stand below "k:{...}"; any of them may hold the field.
            return any(
                _owns(inside, [step])
                for key, inside in current.items()
                if key.startswith(("k:", "v:"))
            )
        if following == {}:
            return True
        current = following
    return True
