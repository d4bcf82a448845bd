"""Namespaces: enrolled in the mesh, and selected by its webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injection.annotations import INJECTION, yes_or_no
from fsm_stack.injection.namespace import NamespaceView, namespace_view
from fsm_stack.verify.check import Check, NotApplicable, found
from fsm_stack.verify.checks.webhooks import place as webhook_place
from fsm_stack.verify.checks.webhooks import require
from fsm_stack.verify.harmless import command
from fsm_stack.verify.selector import refusal
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context

Json = dict[str, Any]


def view(item: Json) -> NamespaceView:
    """A namespace as the injector sees it."""
    return namespace_view(item)


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
            name
            for name, item in context.snapshot.namespaces.items()
            if ((item.get("metadata") or {}).get("labels") or {}).get(label) == mesh
        }
    if not names:
        raise NotApplicable("no namespace is declared to be in the mesh, and none is")
    return sorted(names)


def enrolled(context: Context) -> Iterator[Finding]:
    """The namespace carries the mesh's label, and says whether its pods are injected."""
    mesh, system = context.expected.mesh, context.system
    key = system.annotation(INJECTION)
    for name in subjects(context):
        where = f"namespace {name}"
        item = context.snapshot.namespaces.get(name)
        if item is None:
            yield found("namespace-enrolled", "it is not there", place=where,
                        fix=command("kubectl", "create", "namespace", name))  # fmt: skip
            continue
        known = view(item)
        label = system.monitored_by_label
        if known.labels.get(label) != mesh.name:
            yield found(
                "namespace-enrolled",
                f"label {label} is {known.labels.get(label)!r}, expected {mesh.name!r}",
                place=where,
                fix=command("kubectl", "label", "namespace", name, f"{label}={mesh.name}",
                            "--overwrite"),
            )  # fmt: skip
        value = known.annotations.get(key)
        if value is not None and yes_or_no(value) is None:
            yield found(
                "namespace-enrolled",
                f"{key} is {value!r}, neither a yes nor a no: every new pod is refused",
                place=where,
                fix=command("kubectl", "annotate", "namespace", name, f"{key}=enabled",
                            "--overwrite"),
            )  # fmt: skip
        yield from _as_declared(context, known, key)


def _as_declared(context: Context, known: NamespaceView, key: str) -> Iterator[Finding]:
    declared = context.expected.objects.get(("Namespace", "", known.name))
    if declared is None:
        return
    wanted = ((declared.get("metadata") or {}).get("annotations") or {}).get(key)
    value = known.annotations.get(key)
    if wanted is not None and value != wanted:
        yield found(
            "namespace-enrolled",
            f"{key} is {value!r}, declared {wanted!r}",
            place=f"namespace {known.name}",
            fix=command("kubectl", "annotate", "namespace", known.name, f"{key}={wanted}",
                        "--overwrite"),
        )  # fmt: skip


def selected(context: Context) -> Iterator[Finding]:
    """The webhook's selector takes the namespace."""
    item, entry = require(context)
    selector = entry.get("namespaceSelector") or {}
    for name in subjects(context):
        there = context.snapshot.namespaces.get(name)
        if there is None:
            continue  # said by the check of the enrolment
        if why := refusal(selector, view(there).labels):
            yield found(
                "namespace-selected",
                f"{webhook_place(item)} does not select it: {why}",
                place=f"namespace {name}",
            )


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
