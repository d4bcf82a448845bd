"""The pod that is made next: the script that it would get, judged before anything is restarted.

The injector reads the cluster's MeshConfig and the pod template when it makes a pod, and checks
neither: pods that run are older than what would stop the next ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.injector.annotations import interception
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.expect import differences
from fsm_stack.iptables.judge.lint import nothing_intercepted
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.lists import POD_LISTS
from fsm_stack.verify.checks.owners import template_annotations
from fsm_stack.verify.each import reading_of
from fsm_stack.well_known import MULTIPORT_MAX
from fsm_stack.workloads.lint.around import forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context

STOPS: Final = "it would not start"
_OPEN: Final = "none of its outbound connections would be redirected"


def next_mesh(context: Context) -> MeshView:
    """The mesh as the injector reads it for the next pod; unread: as declared."""
    return context.live_mesh or context.expected.mesh


def next_annotations(pod: Pod, context: Context) -> Mapping[str, str]:
    """Those of the owner's pod template; of a pod without one that was read, its own."""
    known = template_annotations(pod, context)
    return pod.annotations if known is None else known


def why_not(annotations: Mapping[str, str], mesh: MeshView) -> str:
    """Why a pod with these annotations would not start in this mesh; empty: it would."""
    if not mesh.system.intercepts(mesh.interception_mode):
        return ""
    try:
        made = interception(annotations, mesh)
    except Refusal as refusal:
        return f"the injector refuses it: {refusal.message}"
    return _refused(made.script, made.lists)


@lru_cache(maxsize=2048)
def _refused(script: str, lists: InterceptLists) -> str:
    reading = reading_of(script)
    if isinstance(reading, str):
        return f"its script cannot be read: {reading}"
    said = [f"iptables refuses {item.message}" for item in refusals(reading.ruleset)]
    if not reading.loads:
        said.append("a shell refuses its script")
    if not said:
        said += [f"its script is not what its lists say: {item.message}"
                 for item in differences(reading, lists)]  # fmt: skip
    return "; ".join(dict.fromkeys(said))


def redirects_nothing(annotations: Mapping[str, str], mesh: MeshView) -> bool:
    """Whether such a pod would start and have nothing outbound redirected."""
    if not mesh.system.intercepts(mesh.interception_mode):
        return False
    try:
        made = interception(annotations, mesh)
    except Refusal:
        return False
    return _open(made.script)


@lru_cache(maxsize=2048)
def _open(script: str) -> bool:
    reading = reading_of(script)
    return (
        not isinstance(reading, str)
        and not any(refusals(reading.ruleset))
        and any(nothing_intercepted(reading.ruleset))
    )


def not_admitted(namespace: str, context: Context) -> str:
    """Why no pod of a namespace would be created with the init container; empty: it would."""
    known, mesh = context.namespaces.get(namespace), next_mesh(context)
    if known is None or not mesh.system.intercepts(mesh.interception_mode):
        return ""
    return forbidden(known, mesh)


def in_vain(pod: Pod, context: Context) -> str:
    """Why a restart of a pod cannot work; empty: it can.

    That nothing is redirected is no reason where it is what a stack declares.
    """
    if why := not_admitted(pod.namespace, context):
        return why
    annotations, mesh = next_annotations(pod, context), next_mesh(context)
    if why := why_not(annotations, mesh):
        return f"{STOPS}: {why}"
    meant = context.expected.declared and redirects_nothing(annotations, context.expected.mesh)
    return _OPEN if redirects_nothing(annotations, mesh) and not meant else ""


def together(annotations: Mapping[str, str], mesh: MeshView) -> str:
    """Which port lists are too long only as the mesh's and the template's together."""
    try:
        lists = interception(annotations, mesh).lists
    except Refusal:
        return ""
    said = []
    for name in POD_LISTS:
        both, shared = set(lists.entries(name)), set(mesh.lists.entries(name))
        if name.holds == "ports" and len(both) > MULTIPORT_MAX >= len(shared):
            own = counted(len(both - shared), "port")
            said.append(f"{name.title}: {own} of its template and {len(shared)} of the mesh")
    return "; ".join(said)
