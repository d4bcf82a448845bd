"""Which workloads of an input annotations are for, and whether they may be written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.injector.annotations import yes_or_no
from fsm_stack.injector.decision import (
    assumed_namespace,
    decide,
    is_virtual_machine,
    webhook_skips,
)
from fsm_stack.well_known import INJECTION
from fsm_stack.workloads.objects import name_of, object_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.workloads.objects import Workload
    from fsm_stack.workloads.stream import Context

_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"[-A-Za-z0-9_.]*"
_SET: Final = re.compile(rf"(?P<key>{_NAME})\s+(?P<word>in|notin)\s+\((?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(rf"(?P<key>{_NAME})\s*(?P<word>==?|!=)\s*(?P<values>{_VALUE})")
_PRESENT: Final = re.compile(rf"(?P<word>!?)\s*(?P<key>{_NAME})")
# Commas between parentheses belong to a set.
_COMMA: Final = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition of a selector.

    Attributes:
        key: the label.
        values: one of them; None: any value.
        negated: the reverse; a label that is absent is not one of the values.
    """

    key: str
    values: frozenset[str] | None
    negated: bool

    def meets(self, labels: Mapping[str, Any]) -> bool:
        """Whether labels meet it."""
        there = self.key in labels
        met = there if self.values is None else there and labels[self.key] in self.values
        return met is not self.negated


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """A label selector as kubectl takes it: ``app=web,tier!=db,env in (a,b),!old``.

    Raises:
        InputError: for what is none.
    """
    found = []
    for part in _COMMA.split(text):
        plain = part.strip()
        match = next(
            (m for kind in (_SET, _EQUAL, _PRESENT) if (m := kind.fullmatch(plain))), None
        )
        if match is None:
            raise InputError(
                f"{text!r}: expected a label selector such as app=web,tier!=db, got {plain!r}"
            )
        given = match.groupdict().get("values")
        values = None if given is None else frozenset(one.strip() for one in given.split(","))
        negated = match["word"] in {"!", "!=", "notin"}
        found.append(Requirement(key=match["key"], values=values, negated=negated))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which workloads are meant; the default is all of them.

    Attributes:
        only: ``KIND/NAME`` or ``KIND/NAMESPACE/NAME``; the kind in any case. Empty: all.
        selector: what the labels of the object and of its pods have to meet together.
    """

    only: tuple[str, ...] = ()
    selector: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, only: tuple[str, ...], selector: str | None) -> Choice:
        """A choice as the command line has it.

        Raises:
            InputError: for a name or a selector that is none.
        """
        for name in only:
            if len(name.split("/")) not in (2, 3) or not all(name.split("/")):
                raise InputError(f"{name!r}: expected KIND/NAME or KIND/NAMESPACE/NAME")
        return cls(only=only, selector=parse_selector(selector) if selector is not None else ())

    def takes(self, item: Workload, default_namespace: str) -> frozenset[str] | None:
        """The names that mean a workload, which may be none of them; None: it is not meant."""
        kind, namespace, name = name_of(item.manifest, default_namespace)
        known = {f"{kind.lower()}/{name}", f"{kind.lower()}/{namespace}/{name}"}
        named = frozenset(one for one in self.only if _lowered(one) in known)
        if self.only and not named:
            return None
        labels = {
            **object_at(item.manifest, ("metadata", "labels")),
            **object_at(item.pod(), ("metadata", "labels")),
        }
        return named if all(one.meets(labels) for one in self.selector) else None


def _lowered(name: str) -> str:
    kind, _, rest = name.partition("/")
    return f"{kind.lower()}/{rest}"


def left_alone(item: Workload, annotations: Mapping[str, str], context: Context) -> str:
    """Why a workload's pods do not read annotations even with these; "" where they do.

    Who writes that pods get no sidecar means just those pods.
    """
    system = context.mesh.system
    if yes_or_no(annotations.get(system.annotation(INJECTION), "yes")) is False:
        return ""
    if is_virtual_machine(item.manifest):
        return "a VirtualMachine gets no init container, so that nobody reads them"
    name = item.namespace or context.default_namespace
    namespace = context.namespaces.get(name) or assumed_namespace(name, context.mesh)
    pod = item.pod()
    own = object_at(pod, ("metadata", "annotations"))
    texts = {key: value for key, value in own.items() if isinstance(value, str)}
    decision = webhook_skips(namespace, context.mesh) or decide(
        texts | dict(annotations),
        host_network=object_at(pod, ("spec",)).get("hostNetwork") is True,
        namespace=namespace,
        mesh=context.mesh,
    )
    return decision.why if decision.outcome == "leave" else ""


def differing(item: Workload, annotations: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Annotations that the pods have with another value: the key, and the value."""
    own = object_at(item.pod(), ("metadata", "annotations"))
    for key, value in annotations.items():
        if key in own and own[key] != value:
            yield key, own[key]
