"""The control plane's programs: their names, the telling lines of their logs, what they may do.

Nothing else of a log is kept, and of these lines nothing that may be a credential.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.credentials import without_credentials
from fsm_stack.snapshot.shape import mapping, mappings, text, words
from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


def programs_of(system: System) -> tuple[str, str, str]:
    """A system's Deployments, in the order in which one needs the other."""
    return (system.bootstrap_name, system.controller_name, system.injector_name)


PROGRAMS: Final = frozenset(name for known in SYSTEMS.values() for name in programs_of(known))
# What redirects on the nodes, and what else may run beside them, by the charts' fixed names.
XNETWORK: Final = "fsm-xnetwork"
BESIDE: Final = frozenset(
    {XNETWORK}
    | {f"fsm-{name}" for name in ("ingress", "egress-gateway", "grafana", "jaeger", "prometheus")}
)
# The label by which a chart's Deployments select their pods. Source: the three charts.
APP_LABEL: Final = "app"
# The label of every object of an installation. Source: the charts' common labels.
NAME_LABEL: Final = "app.kubernetes.io/name"
PRODUCTS: Final = tuple(
    sorted({known.annotation_prefix for known in SYSTEMS.values()})  # flomesh.io and OSM's
)


LINES_MAX: Final = 6
_LINE_MAX: Final = 400
# A JSON log escapes the quotes of a message that is an error of the API server.
_QUOTE: Final = r'\\*"'
_WORD: Final = r'\\*"([^"\\]*)\\*"'
# Source: k8s.io/apiserver pkg/endpoints/handlers/responsewriters, forbiddenMessage.
_REFUSED: Final = re.compile(
    rf"User {_WORD} cannot ([a-z]+) resource {_WORD} in API group {_WORD} "
    rf"(?:at the cluster scope|in the namespace {_WORD})"
)
# A line of a program that ends by what it says. Source: zerolog's levels, klog's, Go's runtime.
_TELLING: Final = re.compile(
    rf"{_QUOTE}level{_QUOTE}:{_QUOTE}(?:error|fatal|panic){_QUOTE}|^[EF]\d{{4}} |^panic: |"
    r"^fatal error: |(?i:\b(?:error|fatal|failed|cannot|denied|forbidden|refused)\b)"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Denied:
    """One request that the API server refused for want of a right.

    Attributes:
        group: the API group; empty: core.
        resource: what was asked for, ``endpointslices``.
        verb: ``list``.
        namespace: where; empty: in the whole cluster.
        user: who asked, ``system:serviceaccount:fsm-system:fsm``.
    """

    group: str
    resource: str
    verb: str
    namespace: str
    user: str

    @property
    def shown(self) -> str:
        """``list endpointslices.discovery.k8s.io``."""
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


def denied(text: str) -> tuple[Denied, ...]:
    """The requests that a log says were refused, each once."""
    return tuple(
        sorted(
            {
                Denied(user=found[1], verb=found[2], resource=found[3], group=found[4],
                       namespace=found[5] or "")
                for found in _REFUSED.finditer(text)
            }
        )
    )  # fmt: skip


def telling(text: str) -> str:
    """The lines that say why a program is not well, the newest ones, without credentials.

    Every refusal is kept once; programs repeat them until they give up.
    """
    lines = [line.strip() for line in text.splitlines()]
    chosen: dict[object, str] = {}
    for line in lines:
        refusals = denied(line)
        if refusals or _TELLING.search(line):
            chosen.pop(key := refusals or _without_time(line), None)
            chosen[key] = line
    last = [line for line in lines if line][-1:]
    kept = list(chosen.values())[-LINES_MAX:] or last
    return "\n".join(without_credentials(line)[:_LINE_MAX] for line in kept)


def last_words(text: str) -> str:
    """The last telling line, as evidence."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def _without_time(line: str) -> str:
    """A line without its digits, so that repetitions are one."""
    return re.sub(r"\d+", "", line)


Key = tuple[str, str, str]  # kind, namespace, name

ROLES: Final = ("ClusterRole", "Role")
BINDINGS: Final = ("ClusterRoleBinding", "RoleBinding")
ACCOUNT: Final = "ServiceAccount"
RIGHTS_KINDS: Final = frozenset({*ROLES, *BINDINGS, ACCOUNT})
# The guard's kinds, each with its name in paths of the API.
POLICY_KINDS: Final = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
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
    for verb in words(rule.get("verbs")):
        for resource in words(rule.get("resources")):
            for group in words(rule.get("apiGroups")):
                for name in words(rule.get("resourceNames")) or [""]:
                    yield Right(group=group, resource=resource, verb=verb, name=name)
        for path in words(rule.get("nonResourceURLs")):
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
