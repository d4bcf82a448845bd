"""What an operator is told to run, harmless to paste, and the conflict that an apply will meet.

Server-side apply refuses to change a field that another manager owns, unless it is forced.
Which namespaces webhooks select: Kubernetes, LabelSelector; an empty one selects everything.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.foreign import FORCE_MESH_CONFIG, FORCED_UP, OWN_MANAGERS, UP
from fsm_stack.snapshot.shape import mapping, texts
from fsm_stack.verify.drift import managers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.verify.check import Context


def command(*words: str) -> str:
    """A command to paste into a shell; empty where a word is not printable ASCII.

    Names of Kubernetes objects are; others come from a file that somebody made up.
    """
    if not all(word.isascii() and word.isprintable() for word in words):
        return ""
    return shlex.join(words)


def kubectl(*words: str, context: str = "") -> str:
    """A command of kubectl, of the cluster that was read where it has a context's name."""
    where = ("--context", context) if context else ()
    return command("kubectl", *words, *where)


def apply(context: Context, item: Mapping[str, Any] | None = None, *paths: str) -> str:
    """What brings the cluster to what is declared; where nothing is, who installed it does.

    Args:
        context: what was read.
        item: the live object that differs; None: it is not there, or several are.
        paths: the fields that differ.
    """
    expected = context.expected
    if not expected.declared:
        return "Install it again, as it was installed: nothing is declared outside the cluster"
    others = foreign_managers(context, item, *paths)
    if item is None or not others:
        return expected.apply
    conflict = f"a plain one ends in a conflict with {others}"
    if expected.origin == "files":
        return f"{expected.applied('--force-conflicts')}: {conflict}"
    if item.get("kind") == "MeshConfig":
        return f"Run `{UP}` for the stack with {FORCE_MESH_CONFIG}: true: {conflict}"
    return f"Run `{FORCED_UP}` for the stack: {conflict}"


def foreign_managers(context: Context, item: Mapping[str, Any] | None, *paths: str) -> str:
    """Who else owns one of these fields; empty: nobody."""
    names = dict.fromkeys(
        one.name
        for path in paths
        for one in managers(item or {}, path)
        if not _own(one.name, one.operation, files=context.expected.origin == "files")
    )
    return ", ".join(names)


def _own(name: str, operation: str, *, files: bool) -> bool:
    """Whether a manager is who applies what is declared: of files nobody knows under what name."""
    return operation == "Apply" if files else name.startswith(OWN_MANAGERS)


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
