"""The next pod of every owner, before this one is restarted; the MeshConfig judged by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import keys_of
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.canary import canaries, lasts, promoted
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.mesh import live, place
from fsm_stack.verify.checks.namespaces import subjects
from fsm_stack.verify.checks.owners import decided, owners_of_mesh, template_annotations
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.each import is_injected
from fsm_stack.verify.redirecting import strays
from fsm_stack.verify.restarting.mend import (
    admit_init,
    live_findings,
    mend_first,
    mend_list,
    mend_template,
    mesh_stops,
    restart_of,
    stopped,
)
from fsm_stack.verify.restarting.next_pod import next_mesh, not_admitted, together, why_not
from fsm_stack.well_known import CANARY_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.drift import Key


def start(context: Context) -> Iterator[Finding]:
    """Every pod that is made now starts: the kernel takes the script that it would get."""
    live(context)
    if reasons := stopped(context):
        seen = mesh_stops(context)
        for message, fix in reasons:
            yield found("next-pod", message, place=place(context), evidence=seen, fix=fix)
            seen = ""  # all of it, once
        return
    if unread := context.snapshot.unread(Part.PODS):
        raise NotRun(unread)
    yield from _of_namespaces(context)
    yield from _of_owners(context)
    yield from _of_pods(context)


def _of_namespaces(context: Context) -> Iterator[Finding]:
    """Those whose pod security refuses the init container, whatever the template says."""
    try:
        names = subjects(context)
    except NotApplicable:
        return
    for name in names:
        if why := not_admitted(name, context):
            place = f"namespace {name}"
            yield found("next-pod", why, place=place, fix=admit_init(name))


def _of_owners(context: Context) -> Iterator[Finding]:
    try:
        owners: Mapping[Key, dict[str, object]] = owners_of_mesh(context)
    except NotApplicable:
        return
    mesh = next_mesh(context)
    for key, item in owners.items():
        template = mapping(mapping(item.get("spec")).get("template"))
        annotations = mapping(mapping(template.get("metadata")).get("annotations"))
        host_network = mapping(template.get("spec")).get("hostNetwork") is True
        decision = decided(context, key[1], annotations, host_network=host_network)
        if decision is None or not decision.inject or not (why := why_not(annotations, mesh)):
            continue
        if why.startswith("the injector refuses"):
            continue  # the check of owners says it
        kind, namespace, name = key
        said = together(annotations, mesh) or why
        yield found(
            "next-pod",
            f"its next pods will not start: {said}",
            place=f"{kind} {namespace}/{name}",
            evidence=why,
            fix=mend_template(kind, namespace, name),
        )


def _of_pods(context: Context) -> Iterator[Finding]:
    """Pods whose owner was not read, or that have none: made again as they are."""
    mesh, known = next_mesh(context), context.snapshot.owners
    looked = 0
    for pod in context.pods:
        if pod.over or pod.deleted or not is_injected(pod, context):
            continue
        looked += 1
        owner = pod.owner
        if owner is not None and (owner.kind, pod.namespace, owner.name) in known:
            continue
        why = "" if pod.cut else why_not(pod.annotations, mesh)
        if why and not why.startswith("the injector refuses"):
            said = together(pod.annotations, mesh) or why
            yield found(
                "next-pod",
                f"made again as it is, it will not start: {said}",
                place=f"pod {pod.key}",
                evidence=why,
                fix=mend_first(pod, context),
            )
    if not looked and not context.snapshot.owners:
        raise NotApplicable("there is no pod to look at")


def content(context: Context) -> Iterator[Finding]:
    """The MeshConfig's lists load and redirect, and no key stands where nobody reads it."""
    item = live(context)
    for one in live_findings(context):
        path = f"{place(context)} {one.place.path}"
        yield replace(one.at(path=path), fix=mend_list(context, one))
    mesh = context.expected.mesh
    edit = kubectl("edit", "meshconfig", context.system.mesh_config_name, "-n", mesh.namespace)
    for path, right, value in strays(item.get("spec")):
        yield found(
            "cluster-mesh-config-content",
            f"nobody reads {path}: it belongs to {right}",
            place=f"{place(context)} {path}",
            evidence=json.dumps(value, ensure_ascii=False),
            fix=f"Move it to {right}: {edit}",
        )


def tried(context: Context) -> Iterator[Finding]:
    """Every pod that carries a canary's entries is one of a canary in progress, or promoted."""
    known = canaries(context.snapshot, context.system)
    for one in known:
        if one.by == "templates" and promoted(one, next_mesh(context).lists):
            yield found(
                "canary-pods",
                "a canary was promoted: its annotations in pod templates are without effect, and "
                "go with the next change of their owners",
                place=f"namespace {one.namespace}",
                evidence=", ".join(map(str, one.made)),
                fix="What takes them out, and restarts their pods: fsm-stack canary STACK -n "
                f"{one.namespace} --promote.",
                severity=Severity.INFO,
            )
            continue
        pods = [pod for pod in context.pods if one.tries(pod)]
        names = "; ".join(f"{key} {entries}" for key, entries in one.adds.items())
        yield found(
            "canary-pods",
            f"a canary is in progress: new pods get {names}; {counted(len(pods), 'pod')} so far",
            place=f"namespace {one.namespace}",
            evidence=", ".join(map(str, one.made)),
            fix=f"See how it does: fsm-stack canary STACK -n {one.namespace} --status; --promote "
            "or --abort ends it.",
            severity=Severity.INFO if one.whole else None,
        )
    for pod in context.pods:
        if pod.over or pod.deleted or CANARY_LABEL not in pod.labels:
            continue
        if any(one.tries(pod) for one in known):
            continue
        template = template_annotations(pod, context)
        live = next_mesh(context).lists
        if template is not None and not all(
            lasts(pod, key, template, tried={}, mesh=live)
            for key in keys_of(context.system).lists
            if key in pod.annotations
        ):
            if unread := context.snapshot.unread(Part.CANARIES):
                raise NotRun(f"whether the canary of pod {pod.key} is over: {unread}")
            yield found(
                "canary-pods",
                "it has the entries of a canary that is over, and the mesh has them not: its next "
                "pod has other rules",
                place=f"pod {pod.key}",
                fix=restart_of(pod, context),
            )


START_CHECKS: Final = (
    Check(
        id="next-pod",
        title="every pod that restarts now will start",
        needs=(Part.MESH_CONFIG,),
        run=start,
        group="next pod",
    ),
    Check(
        id="canary-pods",
        title="no pod has the rules of a canary that is over",
        needs=(Part.PODS,),
        run=tried,
        group="next pod",
    ),
)
CONTENT_CHECKS: Final = (
    Check(
        id="cluster-mesh-config-content",
        title="the MeshConfig's lists load and redirect, and stand where they are read",
        needs=(Part.MESH_CONFIG,),
        run=content,
        group="mesh",
    ),
)
