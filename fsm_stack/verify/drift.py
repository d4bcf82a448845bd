"""A live object against what is declared or asked for: fields that differ, and pods that lack.

Who wrote a field is in what Kubernetes records of field managers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.allow import REPLICA_FAILURE
from fsm_stack.snapshot.shape import mapping, mappings
from fsm_stack.units import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.manifests.foreign import ForeignPath
    from fsm_stack.yaml import Json

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


Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Pods of an owner that are not there.

    Attributes:
        exist: so many are.
        wanted: so many should be.
        refused: what its controller was told when it made one; empty: nothing, yet.
    """

    exist: int
    wanted: int
    refused: str = ""

    def __str__(self) -> str:
        """``0 of 2 pods exist``."""
        if self.exist >= self.wanted:
            return "no new pod can be made"
        return f"{self.exist} of {self.wanted} pods exist"


def shortfall(kind: str, owner: Mapping[str, Any]) -> Shortfall | None:
    """The pods that an owner lacks.

    Returns:
        None where it lacks none, is being deleted, or no controller has looked at it; and of a
        Job, whose pods end.

    Source: Kubernetes, pkg/controller/deployment progress.go copies the condition of the
    ReplicaSet that failed. A status leaves zeros out.
    """
    status = mapping(owner.get("status"))
    if (
        kind.endswith("Job")
        or not status
        or mapping(owner.get("metadata")).get("deletionTimestamp")
    ):
        return None
    if kind == "DaemonSet":
        exist, wanted = status.get("currentNumberScheduled"), status.get("desiredNumberScheduled")
    else:
        replicas = mapping(owner.get("spec")).get("replicas")
        exist, wanted = status.get("replicas"), 1 if replicas is None else replicas
    refused = refusal_of(mappings(status.get("conditions")))
    known = Shortfall(exist=_count(exist), wanted=_count(wanted), refused=refused)
    return known if known.refused or known.exist < known.wanted else None


def unexplained(kind: str, owner: Mapping[str, Any]) -> bool:
    """Whether an owner lacks pods, and its status does not say why: only a Deployment's does."""
    lack = shortfall(kind, owner)
    return lack is not None and not lack.refused


def asked_about(key: Key, asked: str) -> bool:
    """Whether a user named this owner: ``deployment/web -n shop``; in files without ``-n``."""
    kind, namespace, name = key
    plain = f"{kind.lower()}/{name}"
    return asked in {plain, f"{plain} -n {namespace}"}


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def refusal_of(conditions: Iterable[Json]) -> str:
    """What a controller was told when it made a pod; empty: it was not refused."""
    for one in conditions:
        if one.get("type") == REPLICA_FAILURE and one.get("status") == "True":
            return str(one.get("message") or one.get("reason") or REPLICA_FAILURE)
    return ""
