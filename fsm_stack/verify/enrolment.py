"""A declared namespace that is not as declared: what puts it back, and what its pods get then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_stack.snapshot.shape import mapping, texts
from fsm_stack.verify.commands import command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.verify.check import Context

Json = dict[str, Any]


def enrol(context: Context, name: str) -> str:
    """The command that puts a namespace into the mesh."""
    label, mesh = context.system.monitored_by_label, context.expected.mesh.name
    return command("kubectl", "label", "namespace", name, f"{label}={mesh}", "--overwrite")


def admit(name: str, key: str) -> str:
    """The command that takes away a label by which a webhook passes a namespace over."""
    return command("kubectl", "label", "namespace", name, f"{key}-")


def annotate(name: str, key: str, value: str) -> str:
    """The command that gives a namespace an annotation."""
    return command("kubectl", "annotate", "namespace", name, f"{key}={value}", "--overwrite")


def as_declared(context: Context, known: NamespaceView) -> tuple[NamespaceView, str]:
    """A declared namespace as it should be, and the commands that make it so; empty: it is."""
    away = _away(context)
    wanted = replace(
        known,
        labels={
            **{key: value for key, value in known.labels.items() if key not in away},
            context.system.monitored_by_label: context.expected.mesh.name,
        },
        annotations={**known.annotations, **_declared_annotations(context, known.name)},
    )
    label = context.system.monitored_by_label
    steps = []
    if known.labels.get(label) != wanted.labels.get(label):
        steps.append(enrol(context, known.name))
    steps += [admit(known.name, key) for key in known.labels if key not in wanted.labels]
    steps += [
        annotate(known.name, key, value)
        for key, value in wanted.annotations.items()
        if known.annotations.get(key) != value
    ]
    return wanted, " && ".join(steps)


def _away(context: Context) -> frozenset[str]:
    """Labels by which the webhook passes a namespace over."""
    return frozenset({context.system.ignore_label, "control-plane"})


def _declared_annotations(context: Context, name: str) -> Mapping[str, str]:
    item = context.expected.objects.get(("Namespace", "", name)) or {}
    return texts(mapping(item.get("metadata")).get("annotations"))
