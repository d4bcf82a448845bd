"""The images that the injector gives a pod now: of what is declared, else of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.injector.annotations import keys_of
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.snapshot.shape import mapping, mappings, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.snapshot.objects import Pod

Json = dict[str, Any]


def injecting_mesh(like: MeshView, spec: object, injector: Mapping[str, Any] | None) -> MeshView:
    """The mesh as far as its images go; fields of another type than their CRD's are absent.

    Args:
        like: for the system, the name and the namespace.
        spec: the MeshConfig's ``spec``.
        injector: its Deployment, whose environment names the default images.
    """
    sidecar = mapping(mapping(spec).get("sidecar"))
    known: Json = _choosing(sidecar)
    known["sidecarDrivers"] = [_choosing(one) for one in mappings(sidecar.get("sidecarDrivers"))]
    return mesh_view(
        like.system,
        {"sidecar": known},
        environment=_environment(injector or {}, like.system.injector_name),
        name=like.name,
        namespace=like.namespace,
    )


def _choosing(section: Json) -> Json:
    """What of a section chooses an image: images, and osm-edge's class and drivers."""
    return {
        key: value
        for key, value in texts(section).items()
        if key.endswith("Image") or key in {"sidecarClass", "sidecarName"}
    }


def _environment(deployment: Mapping[str, Any], name: str) -> dict[str, str]:
    template = mapping(mapping(mapping(deployment.get("spec")).get("template")).get("spec"))
    return {
        text(entry.get("name")): text(entry.get("value"))
        for container in mappings(template.get("containers"))
        if container.get("name") == name
        for entry in mappings(container.get("env"))
    }


def images_of(pod: Pod, mesh: MeshView, namespace: NamespaceView | None) -> dict[str, set[str]]:
    """The images that are right for each of the mesh's containers; an unknown one is left out.

    Args:
        pod: whose annotations may choose the sidecar's.
        mesh: of :func:`injecting_mesh`.
        namespace: whose annotations may, too.
    """
    system = mesh.system
    sidecar = {mesh.sidecar_image, mesh.sidecar_windows_image}
    if mesh.profile.sidecar_options:
        key = keys_of(system).image
        shared = namespace.annotations if namespace else {}
        if chosen := pod.annotations.get(key) or shared.get(key):
            sidecar = {chosen}
    known = {
        system.init_container: {mesh.init_image},
        system.sidecar_container: sidecar,
        system.healthcheck_container: {mesh.healthcheck_image},
    }
    return {name: images - {""} for name, images in known.items() if images - {""}}


def release(image: str) -> str:
    """A program and its version, from whatever registry and with whatever digest beside it."""
    tagged, _, digest = image.partition("@")
    last = tagged.rpartition("/")[2]
    return last if ":" in last else f"{last}@{digest}"
