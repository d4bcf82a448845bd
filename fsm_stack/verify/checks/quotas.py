"""Whether a namespace's quotas take the next pod, with the mesh's containers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.injector.containers import sidecar_resources
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.manifests.mesh_config import RESOURCES
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.causes import pod_refusal
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.namespaces import subjects
from fsm_stack.verify.checks.owners import decided, owners_of_mesh
from fsm_stack.workloads.quota import Limited, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.drift import Key
    from fsm_stack.yaml import Json


def room(context: Context) -> Iterator[Finding]:
    """No quota and no LimitRange refuses the mesh's containers, or lacks room for them alone.

    What a quota refuses of the application, too, is none of the mesh's doing.
    """
    if refused := context.snapshot.not_read.get(Part.QUOTAS):
        raise NotRun(refused)
    if Part.QUOTAS not in context.snapshot.read:  # most namespaces have none to be pasted
        raise NotApplicable("no resource quota and no limit range was given")
    mesh, looked = _mesh(context), False
    for namespace in subjects(context):
        items = [(kind, item) for (kind, place, _), item in sorted(context.snapshot.quotas.items())
                 if place == namespace]  # fmt: skip
        if not items or namespace not in context.namespaces:
            continue
        looked = True
        yield from _of_namespace(namespace, items, mesh, context)
    if not looked:
        raise NotApplicable("no namespace of the mesh has a quota or a limit range")


def _mesh(context: Context) -> MeshView:
    """The mesh as far as its containers' resources go; of another type than theirs: absent."""
    known = context.expected.mesh
    live = context.snapshot.mesh_config(context.system, known.namespace) or {}
    sidecar = mapping(mapping(live.get("spec") or context.expected.settings).get("sidecar"))
    given = {
        part: {
            kind: texts(mapping(sidecar.get(part)).get(kind)) for kind in ("limits", "requests")
        }
        for part in RESOURCES
    }
    return mesh_view(context.system, {"sidecar": given}, environment={})


def _of_namespace(
    namespace: str, items: list[tuple[str, Json]], mesh: MeshView, context: Context
) -> Iterator[Finding]:
    ranges = [item for kind, item in items if kind == "LimitRange"]
    quotas = [item for kind, item in items if kind == "ResourceQuota"]
    refused: dict[tuple[str, str, str], list[str]] = {}
    for owner, template in _templates(namespace, context):
        own = _application(template)
        added = _added(texts(_annotations(template)), namespace, mesh, context)
        alone = {one[:2] for one in refusals(own, ranges, quotas)}
        for one in refusals([*own, *added], ranges, quotas):
            if one[:2] not in alone:
                refused.setdefault(one, []).append(owner)
    for (kind, name, said), owners in refused.items():
        known = pod_refusal(said, namespace, of_mesh=True)
        full = said.startswith("exceeded")
        who = owners[0] if len(owners) == 1 else counted(len(owners), "owner")
        left = "has no room for another pod" if full else "refuses the next pods"
        yield found(
            "namespace-quota",
            f"{left} of {who}: {known.means}" if who else f"{left}: {known.means}",
            place=f"{kind} {namespace}/{name}",
            evidence=said,
            fix=f"{known.fix}.",
            severity=Severity.WARNING if full else None,
        )


def _templates(namespace: str, context: Context) -> Iterator[tuple[str, Json]]:
    """The pod templates of a namespace; where none was read, a pod of the mesh's containers."""
    try:
        owners: Mapping[Key, Json] = owners_of_mesh(context)
    except NotApplicable:
        owners = {}
    there = False
    for (kind, place, name), item in owners.items():
        if place != namespace:
            continue
        there = True
        template = mapping(mapping(item.get("spec")).get("template"))
        host_network = mapping(template.get("spec")).get("hostNetwork") is True
        decision = decided(context, place, _annotations(template), host_network=host_network)
        if decision is not None and decision.inject:
            yield f"{kind} {name}", template
    if not there:
        yield "", {}


def _annotations(template: Json) -> Json:
    return mapping(mapping(template.get("metadata")).get("annotations"))


def _application(template: Json) -> list[Limited]:
    spec = mapping(template.get("spec"))
    return [
        Limited(init=part == "initContainers", resources=_resources(one))
        for part in ("initContainers", "containers")
        for one in mappings(spec.get(part))
    ]


def _resources(one: Json) -> Mapping[str, Mapping[str, str]]:
    known = mapping(one.get("resources"))
    return {kind: texts(known.get(kind)) for kind in ("requests", "limits")}


def _added(
    annotations: Mapping[str, str], namespace: str, mesh: MeshView, context: Context
) -> Iterator[Limited]:
    """The containers that the injector adds; the health-check helper comes with probes only."""
    system = context.system
    resources = sidecar_resources(annotations, mesh, context.namespaces[namespace])
    yield Limited(name=system.sidecar_container, resources=resources)
    if system.intercepts(text(context.expected.mesh.interception_mode)):
        yield Limited(name=system.init_container, init=True, resources=mesh.init_resources)


CHECKS: Final = (
    Check(
        id="namespace-quota",
        title="the namespace's quotas have room for the mesh's containers",
        needs=(Part.NAMESPACES,),
        run=room,
        group="namespace",
    ),
)
