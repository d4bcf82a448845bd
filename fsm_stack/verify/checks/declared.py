"""Rights, Services and the guard's policies are those that are declared; whom these refused."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import few
from fsm_stack.snapshot.programs import (
    ACCOUNT,
    BINDINGS,
    POLICY_KINDS,
    RIGHTS_KINDS,
    ROLES,
    lacking,
)
from fsm_stack.snapshot.shape import mapping, mappings, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.control_plane import require_installed
from fsm_stack.verify.commands import apply
from fsm_stack.verify.drift import drifts, refusal_of, writers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.programs import Right
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json


_RIGHTS: Final = "cluster-rights"
_RIGHTS_MAX: Final = 5
_GUARD: Final = "cluster-guard"
_REFUSALS: Final = "cluster-guard-refused"
_PATHS_MAX: Final = 3


def granted(context: Context) -> Iterator[Finding]:
    """Roles, bindings and the account are there, and give what is declared.

    A program that runs keeps its caches: what it may not do any more shows at its next start.
    """
    declared = {
        key: one for key, one in context.expected.objects.items() if key[0] in RIGHTS_KINDS
    }
    if not declared:
        raise NotApplicable("no role is declared")
    if why := context.snapshot.unread(Part.RIGHTS):
        raise NotRun(why)
    require_installed(context)
    for (kind, namespace, name), item in declared.items():
        place = f"{kind} {f'{namespace}/' if namespace else ''}{name}"
        live = context.snapshot.rights.get((kind, namespace, name))
        if live is None:
            yield found(_RIGHTS, f"it is not there: {_without(kind)}", place=place,
                        fix=f"{apply(context)}.")  # fmt: skip
        elif kind in ROLES and (rights := lacking(item, live)):
            yield found(
                _RIGHTS,
                f"it lacks {_told(rights)}",
                place=place,
                evidence=f"{len(rights)} declared rights are not granted",
                fix=f"{apply(context, live, 'rules')}.",
            )
        elif kind in BINDINGS and (message := _unbound(item, live)):
            yield found(_RIGHTS, message, place=place,
                        fix=f"{apply(context, live, 'subjects', 'roleRef')}.")  # fmt: skip


def _without(kind: str) -> str:
    if kind == ACCOUNT:
        return "no pod of the control plane can be made"
    return "the control plane may not do what it grants"


def _told(rights: Iterable[Right]) -> str:
    """``list, watch of endpointslices.discovery.k8s.io``, the first few."""
    verbs: dict[str, list[str]] = defaultdict(list)
    for right in rights:
        group = f".{right.group}" if right.group else ""
        of = f" named {right.name}" if right.name else ""
        verbs[f"{right.resource}{group}{of}"].append(right.verb)
    resources: dict[str, list[str]] = defaultdict(list)
    for resource, names in verbs.items():
        resources[", ".join(names)].append(resource)
    parts = [f"{names} of {', '.join(every)}" for names, every in resources.items()]
    return few(parts, _RIGHTS_MAX, separator="; ")


def _unbound(declared: Json, live: Json) -> str:
    """Whom a binding does not bind, or to what role; empty: it does."""
    wanted, has = (mapping(one.get("roleRef")) for one in (declared, live))
    if (wanted.get("kind"), wanted.get("name")) != (has.get("kind"), has.get("name")):
        return (
            f"it binds {text(has.get('kind'))} {text(has.get('name'))}, declared is "
            f"{text(wanted.get('kind'))} {text(wanted.get('name'))}"
        )
    missing = _subjects(declared) - _subjects(live)
    return f"it does not bind {', '.join(sorted(missing))}" if missing else ""


def _subjects(binding: Json) -> set[str]:
    return {
        f"{text(one.get('kind'))} {text(one.get('namespace'))}/{text(one.get('name'))}"
        for one in mappings(binding.get("subjects"))
    }


RIGHT_CHECKS: Final = (
    Check(
        id=_RIGHTS,
        title="the control plane's account has the declared rights",
        run=granted,
        group="control plane",
    ),
)


_SERVICES: Final = "cluster-services"
# Source: kubernetes pkg/apis/core/v1/defaults.go.
_TCP: Final = "TCP"


def services(context: Context) -> Iterator[Finding]:
    """Every declared Service is there, selects the declared pods, and leads to their ports."""
    namespace = context.expected.mesh.namespace
    declared = {
        name: item
        for (kind, place, name), item in context.expected.objects.items()
        if kind == "Service" and place == namespace
    }
    if not declared:
        raise NotApplicable("no Service is declared")
    require_installed(context)
    for name, item in declared.items():
        place = f"Service {namespace}/{name}"
        there = context.snapshot.services.get((namespace, name))
        if there is None:
            yield found(_SERVICES, "it is not there", place=place, fix=f"{apply(context)}.")
            continue
        for path, message, evidence in (*_selector(item, there), *_ports(item, there, context)):
            fix = f"{apply(context, there, path)}, or declare it."
            yield found(_SERVICES, message, place=place, evidence=evidence, fix=fix)


def _selector(declared: Json, live: Json) -> Iterator[tuple[str, str, str]]:
    wanted, has = (_spec(one).get("selector") or {} for one in (declared, live))
    if wanted != has:
        yield (
            "spec.selector",
            "it selects other pods than those declared",
            f"declared {_pairs(wanted)}, live {_pairs(has)}",
        )


def _ports(declared: Json, live: Json, context: Context) -> Iterator[tuple[str, str, str]]:
    """The declared ports that are not there, or lead elsewhere.

    A port is the same where number and protocol are: its name is for people.
    """
    has = {_key(one): one for one in mappings(_spec(live).get("ports"))}
    for one in mappings(_spec(declared).get("ports")):
        number, protocol = _key(one)
        there = has.get((number, protocol))
        if there is None:
            shown = ", ".join(f"{port}/{kind}" for port, kind in has)
            yield "spec.ports", f"port {number}/{protocol} is not there", f"live {shown}"
            continue
        wanted, leads = _target(one), _target(there)
        if wanted != leads:
            nowhere = _nowhere(leads, live, context)
            yield (
                "spec.ports.targetPort",
                f"port {number} leads to port {leads} of its pods{nowhere}, declared is {wanted}",
                f"declared {wanted}, live {leads}",
            )


def _nowhere(target: int | str, service: Json, context: Context) -> str:
    """That no container has a port of this name or number, where that is known."""
    app = text(mapping(_spec(service).get("selector")).get("app"))
    program = context.snapshot.programs.get((context.expected.mesh.namespace, app)) or {}
    template = mapping(mapping(mapping(program.get("spec")).get("template")).get("spec"))
    ports = [
        port for one in mappings(template.get("containers")) for port in mappings(one.get("ports"))
    ]
    known = {port.get("name") for port in ports} | {port.get("containerPort") for port in ports}
    return ", which no container declares" if ports and target not in known else ""


def _target(port: Json) -> int | str:
    """Where a port leads; Kubernetes' default is its own number."""
    target = port.get("targetPort")
    return target if isinstance(target, int | str) and target else _number(port)


def _key(port: Json) -> tuple[int, str]:
    return _number(port), text(port.get("protocol")) or _TCP


def _number(port: Json) -> int:
    number = port.get("port")
    return number if isinstance(number, int) else 0


def _spec(item: Json) -> Json:
    return mapping(item.get("spec"))


def _pairs(labels: Json) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "nothing"


SERVICE_CHECKS: Final = (
    Check(
        id=_SERVICES,
        title="the control plane's Services lead to its pods",
        needs=(Part.SERVICES,),
        run=services,
        group="control plane",
    ),
)


def _policies(context: Context) -> Mapping[tuple[str, str], Json]:
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
    for (kind, name), item in _policies(context).items():
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
    actions = mapping(live.get("spec")).get("validationActions")
    yield found(
        _GUARD,
        f"{few(paths, _PATHS_MAX)} {'differs' if len(paths) == 1 else 'differ'} from "
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
    names = {name for _, name in _policies(context)}
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
            yield found(_REFUSALS, said[2], place=place, evidence=said[1])


GUARD_CHECKS: Final = (
    Check(id=_GUARD, title="the guard's policies are in force", run=in_force, group="webhook"),
    Check(id=_REFUSALS, title="the guard refused no pod", run=refused, group="webhook"),
)
