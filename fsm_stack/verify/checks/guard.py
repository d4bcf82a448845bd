"""The guard: its policies are in force as declared, and whom they refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.programs import POLICY_KINDS
from fsm_stack.snapshot.shape import mapping, mappings, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.commands import apply
from fsm_stack.verify.drift import drifts, refusal_of, writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json

_GUARD: Final = "cluster-guard"
_SHOWN: Final = 3


def _declared(context: Context) -> Mapping[tuple[str, str], Json]:
    """The policies and bindings that should be there.

    Raises:
        NotApplicable: none is declared.
        NotRun: what is there was not read.
    """
    known = {
        (kind, name): item
        for (kind, _, name), item in context.expected.objects.items()
        if kind in POLICY_KINDS
    }
    if not known:
        raise NotApplicable("no guard is declared")
    if why := context.snapshot.unread(Part.POLICIES):
        raise NotRun(why)
    return known


def in_force(context: Context) -> Iterator[Finding]:
    """Every policy and binding is there, says what is declared, and is understood."""
    for (kind, name), item in _declared(context).items():
        live = context.snapshot.policies.get((kind, name))
        place = f"{kind} {name}"
        if live is None:
            yield found(_GUARD, "it is not there: what it should refuse is kept", place=place,
                        fix=f"{apply(context)}.")  # fmt: skip
            continue
        yield from _changed(context, item, live, place)
        yield from _doubts(live, place)


def _changed(context: Context, item: Json, live: Json, place: str) -> Iterator[Finding]:
    paths = [one.path for one in drifts({"spec": item["spec"]}, {"spec": live.get("spec") or {}})]
    if not paths:
        return
    who = writers(live, paths[0])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    actions = mapping(live.get("spec")).get("validationActions")
    yield found(
        _GUARD,
        f"{', '.join(paths[:_SHOWN])}{more} {'differs' if len(paths) == 1 else 'differ'} from "
        f"what is declared{f', written by {who[0]}' if who else ''}",
        place=place,
        evidence=f"actions {', '.join(map(str, actions))}" if isinstance(actions, list) else None,
        fix=f"{apply(context, live, *paths)}.",
    )


def _doubts(live: Json, place: str) -> Iterator[Finding]:
    """What the API server's controller finds wrong with expressions, where it knows the types."""
    checked = mapping(mapping(live.get("status")).get("typeChecking"))
    for one in mappings(checked.get("expressionWarnings")):
        yield found(
            _GUARD,
            f"the API server doubts {text(one.get('fieldRef'))}: what it cannot evaluate it "
            "decides by failurePolicy",
            place=place,
            evidence=text(one.get("warning")),
            fix="Correct cluster.kubernetesVersion: the expressions follow from it.",
        )


_REFUSED: Final = re.compile(
    r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)", re.DOTALL
)


def refused(context: Context) -> Iterator[Finding]:
    """Nobody was refused pods: by what controllers were told, in events and in their status."""
    names = {name for _, name in _declared(context)}
    told: dict[tuple[str, str], None] = {}
    for item in context.snapshot.events:
        of = mapping(item.get("involvedObject"))
        place = f"{of.get('kind')} {of.get('namespace')}/{of.get('name')}"
        told[place, text(item.get("message"))] = None
    for (kind, namespace, name), item in context.snapshot.owners.items():
        conditions = mappings(mapping(item.get("status")).get("conditions"))
        told[f"{kind} {namespace}/{name}", refusal_of(conditions)] = None
    for place, message in told:
        said = _REFUSED.search(message)
        if said is not None and said[1] in names:
            yield found("cluster-guard-refused", said[2], place=place, evidence=said[1])


CHECKS: Final = (
    Check(
        id=_GUARD,
        title="the guard's policies are in force",
        run=in_force,
        group="webhook",
    ),
    Check(
        id="cluster-guard-refused",
        title="the guard refused no pod",
        run=refused,
        group="webhook",
    ),
)
