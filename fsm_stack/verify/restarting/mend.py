"""What has to be mended before a pod that is made next starts, each as one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity
from fsm_stack.lists import KEYS
from fsm_stack.snapshot.shape import mapping
from fsm_stack.verify.check import NotApplicable
from fsm_stack.verify.checks import mesh
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.mesh_lists import TRAFFIC, list_findings
from fsm_stack.verify.restarting.next_pod import next_mesh, redirects_nothing, why_not

if TYPE_CHECKING:
    from typing import Any

    from fsm_stack.findings.finding import Finding
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context

# With it a pod starts, and nothing of it is redirected.
_STARTS: Final = frozenset({"excludes-everything"})
_NO_OWN: Final[dict[str, str]] = {}
_MENDED: Final = "mend_mesh"
_WITH_TEMPLATE: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def live_findings(context: Context) -> tuple[Finding, ...]:
    """What is wrong with the lists of the cluster's MeshConfig, each at its path.

    What a stack declares so is for ``validate`` to say, where it can be accepted with a reason.
    """
    expected, today = context.expected, context.now.date()
    item = context.snapshot.mesh_config(context.system, expected.mesh.namespace) or {}
    here = list_findings(context.system, item.get("spec"), today)
    if expected.origin != "stack":
        return here
    known = {
        (one.id, one.message)
        for one in list_findings(context.system, expected.settings, today)
        if one.severity is not Severity.ERROR or rule(one.id).acceptable
    }
    return tuple(one for one in here if (one.id, one.message) not in known)


def mesh_stops(context: Context) -> str:
    """Why no pod of the mesh would start, whatever its template says; empty: its lists load."""
    return why_not(_NO_OWN, next_mesh(context))


def mend_mesh(context: Context) -> str:
    """What gives the cluster's MeshConfig lists that load, and redirect."""
    if _MENDED not in context.memory:
        context.memory[_MENDED] = _mend_mesh(context)
    return context.memory[_MENDED]


def _mend_mesh(context: Context) -> str:
    declared = context.expected.mesh
    if context.expected.declared and not (
        why_not(_NO_OWN, declared) or redirects_nothing(_NO_OWN, declared)
    ):
        return context.mesh_config_first
    errors = [one for one in live_findings(context) if one.severity is Severity.ERROR]
    edit = _edit(context)
    commands = dict.fromkeys(mend_list(context, one) for one in errors)
    patches = [one for one in commands if not one.endswith(edit)]
    advice = [one.removesuffix(f": {edit}") for one in commands if one.endswith(edit)]
    rest = [f"{'; '.join(advice)}: {edit}"] if advice else []
    return ", then: ".join((*patches, *rest)) or edit


def stopped(context: Context) -> str:
    """That no pod of the mesh would start, and the first reason with its path; empty: they do."""
    why = mesh_stops(context)
    if not why:
        return ""
    errors = [one for one in live_findings(context) if one.severity is Severity.ERROR]
    said = [f"{one.place.path}: {one.message}" for one in errors if one.id not in _STARTS]
    more = f"; and {len(said) - 1} more" if len(said) > 1 else ""
    return f"every pod that restarts now will not start: {said[0] if said else why}{more}"


def mend_list(context: Context, item: Finding) -> str:
    """What corrects one list of the cluster's MeshConfig.

    Args:
        context: what was read.
        item: a finding at a path in it.
    """
    name = item.place.path.removeprefix(f"{TRAFFIC}.").partition("[")[0]
    live = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace)
    has = mapping(mapping((live or {}).get("spec")).get("traffic")).get(name)
    wanted = _wanted(context).get(name)
    if wanted is not None and wanted != (has or []) and name in KEYS:
        return mesh.list_fix(context, live or {}, name, wanted)
    advice = (item.fix or rule(item.id).fix).rstrip(".")
    return f"{advice}: {_edit(context)}"


def _wanted(context: Context) -> dict[str, Any]:
    try:
        return mesh.declared_lists(context)
    except NotApplicable:
        return {}


def _edit(context: Context) -> str:
    if context.expected.declared:
        return f"where it is declared, then: {context.expected.apply}"
    place = context.expected.mesh.namespace
    return kubectl("edit", "meshconfig", context.system.mesh_config_name, "-n", place)


def mend_template(kind: str, namespace: str, name: str) -> str:
    """What corrects the pod template of an owner."""
    what = f"{kind.lower()}/{name}"
    return f"Correct its pod template's annotations: {kubectl('edit', what, '-n', namespace)}"


def mend_first(pod: Pod, context: Context) -> str:
    """What has to be mended before a pod like this one can start.

    Args:
        pod: one whose restart would be in vain.
        context: what was read.
    """
    if mesh_stops(context) or redirects_nothing(_NO_OWN, next_mesh(context)):
        return mend_mesh(context)
    owner = pod.owner
    if owner is not None and owner.kind in _WITH_TEMPLATE:
        return mend_template(owner.kind, pod.namespace, owner.name)
    return "Correct the annotations of its manifest"
