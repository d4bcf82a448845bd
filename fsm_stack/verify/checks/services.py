"""The control plane's Services lead where they are declared to lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.verify.apply import apply
from fsm_stack.verify.check import Check, NotApplicable, found
from fsm_stack.verify.checks.installed import require_installed
from fsm_stack.verify.shape import mapping, mappings, text
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context

Json = dict[str, Any]
_ID: Final = "cluster-services"
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
            yield found(_ID, "it is not there", place=place, fix=f"{apply(context)}.")
            continue
        for path, message, evidence in (*_selector(item, there), *_ports(item, there, context)):
            fix = f"{apply(context, there, path)}, or declare it."
            yield found(_ID, message, place=place, evidence=evidence, fix=fix)


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


CHECKS: Final = (
    Check(
        id=_ID,
        title="the control plane's Services lead to its pods",
        needs=(Part.SERVICES,),
        run=services,
        group="control plane",
    ),
)
