"""A pod's sidecar and init container have the images that the injector gives a pod now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.verify.apply import apply
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.each import of_every_pod, place, require_annotations, require_sidecar
from fsm_stack.verify.checks.remedy import restart_of
from fsm_stack.verify.injected import images_of, release
from fsm_stack.verify.programs.repair import then
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.objects import Pod


def old_images(pod: Pod, context: Context) -> list[str]:
    """What of a pod is another release than the injector gives it now.

    The same release from another registry is none: a mirror changes it on every pod.

    Raises:
        NotRun: nothing tells what the injector gives.
    """
    declared, _ = context.injecting
    namespace = context.namespaces.get(pod.namespace)
    wanted = images_of(pod, declared, namespace)
    if not wanted:
        if unread := context.snapshot.unread(Part.CONTROL_PLANE):
            raise NotRun(f"which images the injector gives a pod is unknown: {unread}")
        raise NotApplicable("nothing tells which images the injector gives a pod")
    different = []
    for one in pod.containers:
        right = wanted.get(one.name)
        if right and one.image and release(one.image) not in set(map(release, right)):
            different.append(f"{one.name} has {one.image}, not {min(right)}")
    if different:
        require_annotations(pod)
    return different


def images_first(context: Context) -> str:
    """What has to be done before a restart gives pods the declared images; empty: nothing."""
    declared, live = context.injecting
    if live is None or not context.expected.declared:
        return ""
    fields = ("sidecar_image", "init_image", "healthcheck_image")
    if all(getattr(declared, name) == getattr(live, name) for name in fields):
        return ""
    mesh = context.expected.mesh
    item = context.snapshot.programs.get((mesh.namespace, context.system.injector_name))
    mesh_config = context.snapshot.mesh_config(context.system, mesh.namespace)
    plain = context.expected.apply
    paths = "spec.template.spec.containers.env"
    field = f"spec.sidecar.{declared.profile.image_field}"
    of_program, of_mesh = apply(context, item, paths), apply(context, mesh_config, field)
    return of_program if of_program != plain else of_mesh


def current(pod: Pod, context: Context) -> Iterator[Finding]:
    """The mesh's containers of a pod are of the release that is injected now."""
    require_sidecar(pod, context)
    for difference in old_images(pod, context):
        yield found(
            "pod-images",
            f"{difference}: it was made before that counted",
            place=place(pod),
            evidence=f"made {pod.created}" if pod.created else None,
            fix=then(images_first(context), restart_of(pod, context)),
        )


CHECKS: Final = (
    Check(
        id="pod-images",
        title="the sidecar and the init container are of the release that is injected now",
        needs=(Part.PODS,),
        run=of_every_pod(current),
        group="pod",
    ),
)
