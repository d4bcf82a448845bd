"""Namespaces: enrolled in the mesh, and selected by its webhook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import yes_or_no
from fsm_stack.injector.decision import never_injected
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, found
from fsm_stack.verify.checks.webhooks import place as webhook_place
from fsm_stack.verify.checks.webhooks import require, restart
from fsm_stack.verify.commands import admit, annotate, apply, command, enrol, refusal
from fsm_stack.verify.expected import selected_mesh
from fsm_stack.verify.programs.program import then
from fsm_stack.well_known import INJECTION
from fsm_stack.workloads.lint.keys import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.verify.check import Context


def subjects(context: Context) -> list[str]:
    """The namespaces that matter: those of the asked pods, or every declared or enrolled one.

    Raises:
        NotApplicable: there is none.
    """
    if context.asked:
        names = {pod.namespace for pod in context.pods}
        if not context.named:
            names.add(context.asked.partition("/")[2])
    else:
        label, mesh = context.system.monitored_by_label, context.expected.mesh.name
        names = set(context.expected.namespaces) | {
            name for name, known in context.namespaces.items() if known.labels.get(label) == mesh
        }
    if not names:
        raise NotApplicable("no namespace is declared to be in the mesh, and none is")
    return sorted(names)


def enrolled(context: Context) -> Iterator[Finding]:
    """The namespace carries the mesh's label, and says whether its pods are injected."""
    mesh, system = context.expected.mesh, context.system
    key = system.annotation(INJECTION)
    beside = list(_keys(context))
    if not context.asked:
        beside += [*_of_no_mesh(context), *_needless(context)]
    yield from beside
    for name in _injectable(context, others=bool(beside)):
        where = f"namespace {name}"
        known = context.namespaces.get(name)
        if known is None:
            yield found("namespace-enrolled", "it is not there", place=where,
                        fix=_create(context, name))  # fmt: skip
            continue
        label = system.monitored_by_label
        if known.labels.get(label) != mesh.name:
            yield found(
                "namespace-enrolled",
                f"label {label} is {_shown(known.labels.get(label))}, expected {mesh.name!r}",
                place=where,
                fix=enrol(context, name),
            )
        value = known.annotations.get(key)
        if value is not None and yes_or_no(value) is None:
            yield found(
                "namespace-enrolled",
                f"{key} is {value!r}, neither a yes nor a no: every new pod is refused",
                place=where,
                fix=annotate(name, key, "enabled"),
            )
        yield from _as_declared(context, known, key)


def _keys(context: Context) -> Iterator[Finding]:
    """Keys of the mesh's where nobody reads them: of another system, a label for an annotation."""
    system = context.system
    for name, item in sorted(context.snapshot.namespaces.items()):
        if context.asked and name not in {pod.namespace for pod in context.pods}:
            continue
        for one in namespace(item, context.expected.mesh):
            if one.id == "injection-value":
                continue  # said below
            fix = one.fix
            if one.id == "label-other-mesh":
                fix = enrol(context, name)
            elif one.id == "annotation-other-mesh":
                key = str(one.value)
                value = mapping(mapping(item.get("metadata")).get("annotations")).get(key)
                right = system.annotation(key.partition("/")[2])
                fix = annotate(name, right, str(value))
            elif one.id == "annotation-as-label":
                key = str(one.value)
                value = mapping(mapping(item.get("metadata")).get("labels")).get(key)
                fix = then(annotate(name, key, str(value)), admit(name, key))
            elif one.id == "label-as-annotation" and one.value == system.monitored_by_label:
                fix = enrol(context, name)
            yield replace(one.at(path=f"namespace {name}"), fix=fix or one.fix)


def _create(context: Context, name: str) -> str:
    """What makes a namespace: the stack where it is the stack's own, else whoever owns it."""
    key, made = ("Namespace", "", name), command("kubectl", "create", "namespace", name)
    if key not in context.expected.objects:
        return made
    again = f"{apply(context)}."
    return then(made, again) if key in context.expected.patched else again


def _as_declared(context: Context, known: NamespaceView, key: str) -> Iterator[Finding]:
    declared = context.expected.objects.get(("Namespace", "", known.name))
    if declared is None:
        return
    wanted = ((declared.get("metadata") or {}).get("annotations") or {}).get(key)
    value = known.annotations.get(key)
    if wanted is not None and value != wanted:
        yield found(
            "namespace-enrolled",
            f"{key} is {_shown(value)}, declared {wanted!r}",
            place=f"namespace {known.name}",
            fix=annotate(known.name, key, wanted),
        )


def selected(context: Context) -> Iterator[Finding]:
    """The webhook's selector takes the namespace."""
    item, entry = require(context)
    selector = entry.get("namespaceSelector") or {}
    for name in _injectable(context):
        known = context.namespaces.get(name)
        if known is None:
            continue  # said by the check of the enrolment
        if why := refusal(selector, known.labels):
            yield found(
                "namespace-selected",
                f"{webhook_place(item)} does not select it: {why}",
                place=f"namespace {name}",
                fix=_select(context, name, known.labels),
            )


def _injectable(context: Context, *, others: bool = False) -> list[str]:
    """The namespaces that matter, without those whose pods no injector ever takes.

    Args:
        context: what was read.
        others: something was said of others, so that none of these is no reason to stop.

    Raises:
        NotApplicable: there is none.
    """
    try:
        names = subjects(context)
    except NotApplicable:
        if others:
            return []
        raise
    never = {name: never_injected(name, context.expected.mesh.namespace) for name in names}
    known = [name for name in names if not never[name]]
    if not known and not others:
        raise NotApplicable(never[names[0]])
    return known


def _of_no_mesh(context: Context) -> Iterator[Finding]:
    """Namespaces that are labelled for a mesh which no webhook serves.

    The label was mistyped, or the webhook's selector was changed; nothing else would say so.
    """
    mesh, label = context.expected.mesh, context.system.monitored_by_label
    served = {selected_mesh(item, context.system) for item in context.snapshot.mutating}
    if context.snapshot.unread(Part.MUTATING):
        return
    for name, known in context.namespaces.items():
        value = known.labels.get(label)
        if value in {None, mesh.name, *served} or name in context.expected.namespaces:
            continue
        yield found(
            "namespace-enrolled",
            f"label {label} is {value!r}, and no webhook takes pods of a mesh of that name: they "
            "get no sidecar",
            place=f"namespace {name}",
            evidence=f"the mesh is {mesh.name!r}",
            fix="Correct the label; or the webhook's namespaceSelector, which the injector writes "
            f"when it starts: {restart(context)}",
            severity=Severity.WARNING if context.expected.declared else None,
        )


def _needless(context: Context) -> Iterator[Finding]:
    """Namespaces in the mesh whose pods no injector takes: they wait for it, for nothing."""
    label, place = context.system.monitored_by_label, context.expected.mesh.namespace
    for name, known in context.namespaces.items():
        if label in known.labels and (why := never_injected(name, place)):
            yield found(
                "namespace-enrolled",
                f"it carries label {label}, and {why}: where no injector runs, they are refused",
                place=f"namespace {name}",
                fix=admit(name, label),
                severity=Severity.WARNING,
            )


def _shown(value: str | None) -> str:
    return "absent" if value is None else repr(value)


def _select(context: Context, name: str, labels: Mapping[str, str]) -> str:
    """What makes the webhook select a namespace: its label, or the selector, whichever is off."""
    system = context.system
    if labels.get(system.monitored_by_label) != context.expected.mesh.name:
        return enrol(context, name)
    for key in (system.ignore_label, "control-plane"):
        if key in labels:
            return admit(name, key)
    return f"The injector writes the selector when it starts: {restart(context)}"


CHECKS: Final = (
    Check(
        id="namespace-enrolled",
        title="the namespace is enrolled in the mesh",
        needs=(Part.NAMESPACES,),
        run=enrolled,
        group="namespace",
    ),
    Check(
        id="namespace-selected",
        title="the webhook selects the namespace",
        needs=(Part.NAMESPACES, Part.MUTATING),
        run=selected,
        group="namespace",
    ),
)
