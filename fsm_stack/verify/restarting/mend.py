"""What has to be mended before a restart can help, and the commands that do it.

The injector reads the cluster's MeshConfig and the owner's pod template. Where one of them is not
what is meant, a restart alone is in vain, and is not advised.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import counted
from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity, finding
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.expect import differences
from fsm_stack.iptables.sets.ranges import IPV4_END, address_number, ipv4_range
from fsm_stack.lists import EXCLUDED_RANGES, KEYS
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import OWNER_KINDS
from fsm_stack.verify.check import NotApplicable
from fsm_stack.verify.checks import mesh
from fsm_stack.verify.checks.owners import template_annotations
from fsm_stack.verify.commands import command, kubectl
from fsm_stack.verify.each import expected_lists, is_injected, reading_of, restart
from fsm_stack.verify.programs.program import THEN, then
from fsm_stack.verify.redirecting import TRAFFIC, list_findings
from fsm_stack.verify.restarting.next_pod import (
    in_vain,
    next_mesh,
    not_admitted,
    redirects_nothing,
    why_not,
)
from fsm_stack.workloads.lint.around import ENFORCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json

TEMPLATE_FIRST: Final = "Put the annotation into the owner's pod template"


def before_restart(pod: Pod, script: str | None, context: Context) -> str:
    """What has to be done before a restart gives a pod the declared rules; empty: nothing.

    Args:
        pod: one whose rules differ from what is declared.
        script: its own.
        context: what was read.
    """
    declared = expected_lists(pod.annotations, context.expected.mesh)
    live = context.live_mesh
    if live is not None and (
        live.interception_mode != context.expected.mesh.interception_mode
        or expected_lists(pod.annotations, live) != declared
    ):
        return context.mesh_config_first
    template = template_annotations(pod, context)
    if template is None or script is None:
        return ""
    next_lists = expected_lists(template, context.expected.mesh)
    if next_lists == declared or isinstance(next_lists, Refusal):
        return ""
    return "" if _differs(script, next_lists) else TEMPLATE_FIRST


@lru_cache(maxsize=2048)
def _differs(script: str, lists: InterceptLists) -> bool:
    reading = reading_of(script)
    return isinstance(reading, str) or any(True for _ in differences(reading, lists))


def restart_of(pod: Pod, context: Context, *, place: str = "", names: tuple[str, ...] = ()) -> str:
    """The command that makes a pod anew, by what its owner does on a restart.

    Where the pod that it makes would not start, what has to be mended comes first.

    Args:
        pod: which.
        context: what was read of its owner.
        place: of the kubeconfig, for commands that are kept.
        names: more pods of the same owner.
    """
    again = _again(pod, context, place, names)
    if again and in_vain(pod, context):
        return then(mend_first(pod, context), again)
    return again


def _again(pod: Pod, context: Context, place: str, names: tuple[str, ...]) -> str:
    plain, owner = restart(pod, place), pod.owner
    if owner is None:
        return plain
    what = f"{owner.kind.lower()}/{owner.name}"
    if on_delete(pod, context):
        return kubectl(
            "delete", "pod", *(names or (pod.name,)), "-n", pod.namespace, context=place
        )
    if owner.kind == "Deployment" and _owner_spec(pod, context).get("paused") is True:
        resumed = kubectl("rollout", "resume", what, "-n", pod.namespace, context=place)
        return f"{resumed} && {plain}" if resumed and plain else ""
    return plain


def on_delete(pod: Pod, context: Context) -> bool:
    """Whether the owner makes pods anew only where somebody deletes them."""
    strategy = _owner_spec(pod, context).get("updateStrategy")
    return isinstance(strategy, dict) and strategy.get("type") == "OnDelete"


def _owner_spec(pod: Pod, context: Context) -> dict[str, Any]:
    owner = pod.owner
    key = (owner.kind, pod.namespace, owner.name) if owner else ("", "", "")
    return mapping((context.snapshot.owners.get(key) or {}).get("spec"))


def remedy(pod: Pod, script: str | None, context: Context) -> str:
    """What gives a pod the declared rules."""
    first = before_restart(pod, script, context)
    again = restart_of(pod, context)
    return again if again.startswith(first) else then(first, again)


# With it a pod starts, and nothing of it is redirected.
_STARTS: Final = frozenset({"excludes-everything"})
_NO_OWN: Final[dict[str, str]] = {}
_MENDED: Final = "mend_mesh"
_STOPPED: Final = "every pod that restarts now will not start"


def live_findings(context: Context) -> tuple[Finding, ...]:
    """What is wrong with the lists of the cluster's MeshConfig, each at its path.

    What a stack declares so is for ``validate`` to say, where it can be accepted with a reason.
    """
    expected, today = context.expected, context.now.date()
    item = context.snapshot.mesh_config(context.system, expected.mesh.namespace) or {}
    here = list_findings(context.system, item.get("spec"), today, ranges=expected.ranges)
    if expected.origin != "stack":
        return (*here, *_over_pods(context, mapping(item.get("spec"))))
    known = {
        (one.id, one.message)
        for one in list_findings(context.system, expected.settings, today, ranges=expected.ranges)
        if one.severity is not Severity.ERROR or rule(one.id).acceptable
    }
    return tuple(one for one in here if (one.id, one.message) not in known)


def _over_pods(context: Context, spec: Json) -> Iterator[Finding]:
    """H9 where no stack tells the cluster's ranges: exclusions over its pods' addresses."""
    entries = mapping(spec.get("traffic")).get(EXCLUDED_RANGES.key)
    if not isinstance(entries, list) or not entries:
        return
    pods = sorted(
        (number, f"{pod.key} ({pod.address})")
        for pod in context.snapshot.pods
        if (number := address_number(pod.address)) is not None
        and not (pod.host_network or pod.over or pod.deleted)
        and is_injected(pod, context)
    )
    for index, entry in enumerate(entries):
        bounds = ipv4_range(entry) if isinstance(entry, str) else None
        if bounds is None or bounds == (0, IPV4_END):  # other checks say more
            continue
        inside = pods[bisect_left(pods, (bounds[0],)) : bisect_left(pods, (bounds[1],))]
        if inside:
            yield finding(
                "excludes-mesh-traffic",
                f"{entry} covers the addresses of {len(inside)} of the mesh's "
                f"{counted(len(pods), 'pod')}, such as {inside[0][1]}: traffic to them bypasses "
                "the mesh",
                path=f"{TRAFFIC}.{EXCLUDED_RANGES.key}[{index}]",
                severity=None if len(inside) == len(pods) else Severity.WARNING,
            )


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
    rest = [*advice[:-1], f"{advice[-1]}: {edit}"] if advice else []
    return THEN.join((*patches, *rest)) or edit


def stopped(context: Context) -> tuple[tuple[str, str], ...]:
    """That no pod of the mesh would start: each reason with its path, and what mends it."""
    why = mesh_stops(context)
    if not why:
        return ()
    errors = [one for one in live_findings(context) if one.severity is Severity.ERROR]
    said = [(f"{one.place.path}: {one.message}", one) for one in errors if one.id not in _STARTS]
    whole = mend_mesh(context)
    if not said:
        return ((f"{_STOPPED}: {why}", whole),)
    apply = whole if whole == context.mesh_config_first else ""
    first, *rest = [(text, apply or mend_list(context, one)) for text, one in said]
    return ((f"{_STOPPED}: {first[0]}", first[1]), *rest)


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
    return f"{item.place.path}: {advice}: {_edit(context)}"


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


def admit_init(namespace: str) -> str:
    """What lets a namespace's pod security take the mesh's init container."""
    return command(
        "kubectl", "label", "namespace", namespace, f"{ENFORCE}=privileged", "--overwrite"
    )


def mend_first(pod: Pod, context: Context) -> str:
    """What has to be mended before a pod like this one can start.

    Args:
        pod: one whose restart would be in vain.
        context: what was read.
    """
    if mesh_stops(context) or redirects_nothing(_NO_OWN, next_mesh(context)):
        return mend_mesh(context)
    if not_admitted(pod.namespace, context):
        return admit_init(pod.namespace)
    owner = pod.owner
    if owner is not None and owner.kind in OWNER_KINDS:
        return mend_template(owner.kind, pod.namespace, owner.name)
    return "Correct the annotations of its manifest"
