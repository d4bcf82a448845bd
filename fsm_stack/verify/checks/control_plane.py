"""The control plane: installed, running, in the declared versions, of the declared settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME
from fsm_stack.snapshot.programs import programs_of
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.programs.program import beside, program, then
from fsm_stack.verify.programs.trouble import trouble
from fsm_stack.verify.redirecting import release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.programs.program import Program, Trouble
    from fsm_stack.yaml import Json


def absent(context: Context) -> bool:
    """Whether no program of the control plane is there; False where that was not read."""
    place, snapshot = context.expected.mesh.namespace, context.snapshot
    return Part.CONTROL_PLANE in snapshot.read and all(
        (place, name) not in snapshot.programs for name in programs_of(context.system)
    )


def require_installed(context: Context) -> None:
    """Leave what is missing with the control plane to the check that says so.

    Raises:
        NotRun: nothing is installed.
    """
    if absent(context):
        raise NotRun("the control plane is not installed")


_IMAGE_PATHS: Final = tuple(
    f"spec.template.spec.{part}.{field}"
    for part in ("containers", "initContainers")
    for field in ("image", "env")
)


def running(context: Context) -> Iterator[Finding]:
    """Injector, controller and bootstrap are there, and all pods of each are available.

    So are those that are declared beside them: what redirects on the nodes, the ingress and its
    class, Prometheus and their like.
    """
    namespace, names = context.expected.mesh.namespace, programs_of(context.system)
    if absent(context):
        yield found(
            "control-plane-absent",
            f"the control plane is not installed: there is no Deployment {', '.join(names)}",
            place=f"namespace {namespace}",
            fix=f"{apply(context)}.",
        )
        return
    for name in names:
        if (why := context.trouble(name)) is not None:
            yield _told(why, program(context, name))
    yield from _beside(context, names)
    yield from _ingress_class(context)
    if unread := _unread(context):
        raise NotRun(unread)


def _beside(context: Context, names: tuple[str, ...]) -> Iterator[Finding]:
    """What is declared beside the programs; of its pods only their numbers are read."""
    for kind, name in _programs(context):
        one = beside(context, kind, name)
        unread = one.of_nodes and Part.DAEMONS not in context.snapshot.read
        if name in names or unread:
            continue
        if (why := trouble(one, context)) is not None:
            yield _told(why, one)


def _ingress_class(context: Context) -> Iterator[Finding]:
    """The class by which Ingresses find FSM's controller."""
    if Part.INGRESS_CLASSES not in context.snapshot.read:
        return
    for name, item in _declared(context, "IngressClass").items():
        live = context.snapshot.ingress_classes.get(name)
        wanted, has = (mapping(one.get("spec")).get("controller") for one in (item, live or {}))
        if live is None:
            yield found(
                "program-absent",
                f"ingress class {name} is not there: FSM serves no Ingress",
                place=f"IngressClass {name}",
                fix=f"{apply(context)}.",
            )
        elif has != wanted:  # it cannot be changed
            yield found(
                "program-absent",
                f"ingress class {name} is of controller {has}, expected {wanted}: FSM serves no "
                "Ingress",
                place=f"IngressClass {name}",
                fix=then(command("kubectl", "delete", "ingressclass", name), f"{apply(context)}."),
            )


def _unread(context: Context) -> str:
    """What is declared and was not looked at, with the reason; empty: nothing."""
    parts = {"DaemonSet": Part.DAEMONS, "IngressClass": Part.INGRESS_CLASSES}
    told = [
        context.snapshot.unread(part)
        for kind, part in parts.items()
        if _declared(context, kind) and part not in context.snapshot.read
    ]
    return "; ".join(told)


def _told(why: Trouble, one: Program) -> Finding:
    return found(
        why.id,
        why.why,
        place=one.place,
        evidence=why.evidence or None,
        fix=why.fix,
        severity=Severity.WARNING if one.runs else None,
    )


def _programs(context: Context) -> dict[tuple[str, str], Json]:
    """The declared Deployments and DaemonSets of the control plane, by kind and name."""
    return {
        (kind, name): item
        for kind in ("Deployment", "DaemonSet")
        for name, item in _declared(context, kind).items()
    }


def _declared(context: Context, wanted: str) -> dict[str, Json]:
    """The declared objects of a kind in the control plane's namespace, or in none, by name."""
    places = {context.expected.mesh.namespace, ""}
    return {
        name: item
        for (kind, place, name), item in context.expected.objects.items()
        if kind == wanted and place in places
    }


def images(context: Context) -> Iterator[Finding]:
    """The programs, and the images that they inject, are those declared."""
    namespace, declared = context.expected.mesh.namespace, _programs(context)
    if not declared:
        yield from _of_one_version(context, namespace)
        return
    for (kind, name), item in declared.items():
        there = context.snapshot.owners.get((kind, namespace, name))
        if there is None:
            continue  # said by the check of the programs
        wanted, has = _images(item), _images(there)
        for where, image in wanted.items():
            if has.get(where) != image:
                same = release(has.get(where, "")) == release(image)
                yield found(
                    "cluster-images",
                    f"{name}: {where} is {has.get(where) or 'absent'}, expected {image}",
                    place=f"{kind} {namespace}/{name}",
                    evidence=has.get(where),
                    fix=f"{apply(context, there, *_IMAGE_PATHS)}, or declare the image.",
                    severity=Severity.WARNING if same else Severity.ERROR,
                )


def _of_one_version(context: Context, namespace: str) -> Iterator[Finding]:
    """Where nothing declares an image, the programs at least belong together."""
    system = context.system
    tags: dict[str, str] = {}
    for name in (system.injector_name, system.controller_name, system.bootstrap_name):
        there = context.snapshot.programs.get((namespace, name)) or {}
        own = f"/{name}:"  # beside it runs the sidecar's repository, of a version of its own
        for image in _images(there).values():
            if own in image:
                tags[name] = image.partition(own)[2]
    if not tags:
        raise NotApplicable("no program of the control plane is there, and none is declared")
    if len(set(tags.values())) > 1:
        versions = ", ".join(f"{name} {tag}" for name, tag in tags.items())
        yield found(
            "cluster-images",
            f"the control plane's programs are of several versions: {versions}",
            place=f"namespace {namespace}",
            fix="Finish the upgrade, or take it back: they are released together.",
        )


def _images(item: Json) -> dict[str, str]:
    spec = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
    known = {}
    every = [
        (f"image of {kind} {container.get('name')}", container)
        for part, kind in (("initContainers", "init container"), ("containers", "container"))
        for container in spec.get(part) or ()
    ]
    for where, container in every:
        known[where] = str(container.get("image"))
        for entry in container.get("env") or ():
            if str(entry.get("name", "")).endswith("_IMAGE"):
                known[str(entry["name"])] = str(entry.get("value"))
    return known


def recorded(context: Context) -> Iterator[Finding]:
    """ConfigMap fsm-redirection is the one of these settings."""
    namespace = context.expected.mesh.namespace
    declared = context.expected.objects.get(("ConfigMap", namespace, CONFIG_MAP_NAME))
    if declared is None:
        raise NotApplicable("nothing is declared outside the cluster")
    place = f"ConfigMap {namespace}/{CONFIG_MAP_NAME}"
    there = context.snapshot.redirection
    fix = f"{apply(context, there, 'data.settingsDigest')}."
    if there is None:
        require_installed(context)
        yield found("cluster-redirection", "it is not there", place=place, fix=fix)
        return
    wanted = (declared.get("data") or {}).get("settingsDigest")
    has = (there.get("data") or {}).get("settingsDigest")
    if wanted != has:
        yield found(
            "cluster-redirection",
            "it was written from other settings: those declared were not applied",
            place=place,
            fix=fix,
            evidence=f"declared {wanted}, live {has}",
        )


CHECKS: Final = (
    Check(
        id="cluster-control-plane",
        title="the control plane's programs are available",
        needs=(Part.CONTROL_PLANE,),
        run=running,
        group="control plane",
    ),
    Check(
        id="cluster-images",
        title="the control plane has the declared images, and injects them",
        needs=(Part.CONTROL_PLANE,),
        run=images,
        group="control plane",
    ),
    Check(
        id="cluster-redirection",
        title="ConfigMap fsm-redirection is of the declared settings",
        needs=(Part.REDIRECTION,),
        run=recorded,
        group="control plane",
    ),
)
