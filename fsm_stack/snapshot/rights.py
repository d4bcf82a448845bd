"""What an account may do, by roles and bindings: declared ones, or the cluster's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.shape import mapping, mappings, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.snapshot.programs import Denied

Json = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name

ROLES: Final = ("ClusterRole", "Role")
BINDINGS: Final = ("ClusterRoleBinding", "RoleBinding")
ACCOUNT: Final = "ServiceAccount"
RIGHTS_KINDS: Final = frozenset({*ROLES, *BINDINGS, ACCOUNT})
_EVERY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource.

    Attributes:
        group: the API group; empty: core.
        resource: ``pods``, or ``pods/log``; a path for what is no resource.
        verb: ``list``.
        name: of the only object that it is about; empty: any.
    """

    group: str
    resource: str
    verb: str
    name: str = ""

    def covers(self, other: Right) -> bool:
        """Whether who has this one has the other, too."""
        return (
            self.group in {_EVERY, other.group}
            and self._resource_covers(other.resource)
            and self.verb in {_EVERY, other.verb}
            and self.name in {"", other.name}
        )

    def _resource_covers(self, wanted: str) -> bool:
        # Source: kubernetes pkg/apis/rbac/v1/evaluation_helpers.go, ResourceMatches.
        if self.resource == wanted or (self.resource == _EVERY and wanted[:1] != "/"):
            return True
        front, _, part = self.resource.partition("/")
        return front == _EVERY and bool(part) and wanted.endswith(f"/{part}")


def rights(role: Mapping[str, Any]) -> frozenset[Right]:
    """Every right of a role."""
    return frozenset(right for rule in mappings(role.get("rules")) for right in _rights_of(rule))


def _rights_of(rule: Json) -> Iterator[Right]:
    for verb in _words(rule.get("verbs")):
        for resource in _words(rule.get("resources")):
            for group in _words(rule.get("apiGroups")):
                for name in _words(rule.get("resourceNames")) or [""]:
                    yield Right(group=group, resource=resource, verb=verb, name=name)
        for path in _words(rule.get("nonResourceURLs")):
            yield Right(group="", resource=path, verb=verb)


def lacking(declared: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[Right, ...]:
    """The rights of a declared role that the live one does not give."""
    has = rights(live)
    every = [right for right in has if _EVERY in {right.group, right.resource, right.verb}]
    return tuple(
        sorted(
            right
            for right in rights(declared) - has
            if not any(known.covers(right) for known in every)
            and (not right.name or Right(group=right.group, resource=right.resource,
                                         verb=right.verb) not in has)
        )
    )  # fmt: skip


def granting(objects: Mapping[Key, Json], asked: Denied) -> tuple[Key, ...]:
    """The roles among the objects by which the account may do what was refused."""
    wanted = Right(group=asked.group, resource=asked.resource, verb=asked.verb)
    return tuple(
        key
        for (kind, place, _), binding in objects.items()
        if kind in BINDINGS and place in {"", asked.namespace} and _binds(binding, asked)
        and (role := objects.get(key := _role_of(binding, place))) is not None
        and any(right.covers(wanted) for right in rights(role))
    )  # fmt: skip


def _role_of(binding: Json, place: str) -> Key:
    ref = mapping(binding.get("roleRef"))
    kind, name = text(ref.get("kind")), text(ref.get("name"))
    return kind, "" if kind == "ClusterRole" else place, name


def _binds(binding: Json, asked: Denied) -> bool:
    return any(
        f"system:serviceaccount:{text(one.get('namespace'))}:{text(one.get('name'))}" == asked.user
        for one in mappings(binding.get("subjects"))
        if one.get("kind") == ACCOUNT
    )


def _words(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
