"""Which namespaces webhooks select, and what puts a declared namespace back.

Source: Kubernetes, meta/v1 LabelSelector. An empty selector selects everything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_stack.snapshot.shape import mapping, texts
from fsm_stack.verify.commands import command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.verify.check import Context


def refusal(selector: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Why a selector does not select an object with these labels; empty: it does."""
    for key, wanted in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != wanted:
            return f"label {key} is {_shown(labels, key)}, expected {wanted!r}"
    for one in selector.get("matchExpressions") or ():
        if why := _refused(one, labels):
            return why
    return ""


def _refused(expression: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    key, operator = str(expression.get("key")), expression.get("operator")
    values = [str(value) for value in expression.get("values") or ()]
    has = key in labels
    holds = {
        "In": has and labels[key] in values,
        "NotIn": not has or labels[key] not in values,
        "Exists": has,
        "DoesNotExist": not has,
    }.get(str(operator))
    if holds:
        return ""
    wanted = f"{operator} {', '.join(values)}".strip()
    return f"label {key} is {_shown(labels, key)}, expected {wanted}"


def _shown(labels: Mapping[str, str], key: str) -> str:
    return repr(labels[key]) if key in labels else "absent"


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
