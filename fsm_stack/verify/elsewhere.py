"""An entry that would exclude a destination, and stands where nobody reads it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import POD_LISTS
from fsm_stack.snapshot.shape import mapping, texts
from fsm_stack.systems import SYSTEMS
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.each import expected_lists
from fsm_stack.verify.redirecting import redirecting_mesh, strays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context


def elsewhere(
    pod: Pod, context: Context, excludes: Callable[[InterceptLists], bool]
) -> tuple[str, str] | None:
    """The first entry that would exclude a destination where it is read: why it is not, the fix.

    Args:
        pod: whose connection it is.
        context: what was read.
        excludes: whether lists exclude the destination.
    """
    mesh = context.expected.mesh
    for own, value, why, fix in _annotations(pod, context):
        lists = expected_lists({**pod.annotations, own: value}, mesh)
        if not isinstance(lists, Refusal) and excludes(lists):
            return why, fix
    item = context.snapshot.mesh_config(context.system, mesh.namespace) or {}
    for path, right, entries in strays(item.get("spec")):
        moved = copy.deepcopy(mapping(item.get("spec")))
        section = right.split(".")[-2]
        moved[section] = {**mapping(moved.get(section)), right.rpartition(".")[2]: entries}
        view = redirecting_mesh(mesh.system, moved, name=mesh.name, namespace=mesh.namespace)
        lists = expected_lists(pod.annotations, view)
        if not isinstance(lists, Refusal) and excludes(lists):
            edit = kubectl("edit", "meshconfig", context.system.mesh_config_name, "-n",
                           mesh.namespace)  # fmt: skip
            why = f"nobody reads {path} of the MeshConfig: it belongs to {right}"
            return why, f"Move it to {right}: {edit}"
    return None


def _annotations(pod: Pod, context: Context) -> Iterator[tuple[str, str, str, str]]:
    """List annotations where nobody reads them: the right key, the value, why, the fix."""
    system, owner = context.system, pod.owner
    place = "spec.template.metadata.annotations"
    to = f"Move it to {place} of {owner.kind} {owner.name}" if owner else "Move it to the pod's"
    key = (owner.kind, pod.namespace, owner.name) if owner else ("", "", "")
    of_owner = mapping(mapping(context.snapshot.owners.get(key)).get("metadata"))
    space = mapping(mapping(context.snapshot.namespaces.get(pod.namespace)).get("metadata"))
    read = f"{system.title}'s injector reads it among the annotations of pods only"
    on_owner = f"{owner.kind} {owner.name}" if owner else ""
    for prefix in dict.fromkeys(known.annotation_prefix for known in SYSTEMS.values()):
        why = read if prefix == system.annotation_prefix else f"{system.title} reads {{own}}"
        if prefix != system.annotation_prefix:
            yield from _of(pod.annotations, "annotation", "of the pod", prefix, why, to, context)
        yield from _of(pod.labels, "label", "of the pod", prefix, why, to, context)
        for part, word in (("annotations", "annotation"), ("labels", "label")):
            where = f"stands on {on_owner}, not in its pod template"
            yield from _of(texts(of_owner.get(part)), word, where, prefix, why, to, context)
            where = f"stands on namespace {pod.namespace}"
            yield from _of(texts(space.get(part)), word, where, prefix, why, to, context)


def _of(  # noqa: PLR0917  # the parts of one sentence
    given: Mapping[str, str], word: str, where: str, prefix: str, why: str, to: str,
    context: Context,
) -> Iterator[tuple[str, str, str, str]]:  # fmt: skip
    for name in POD_LISTS:
        key, own = f"{prefix}/{name.annotation}", context.system.annotation(name.annotation)
        if key in given:
            moved = to if key == own else f"{to}, as {own}"
            said = f"{word} {key} {where}: {why.format(own=own)}"
            yield own, given[key], said, f"{moved}."
