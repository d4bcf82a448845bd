"""The sidecar that one pod gets: what its annotations, its namespace's and the mesh choose.

Source: the Pipy drivers of FSM and osm-edge, the Envoy drivers of osm-edge and OSM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.injector.annotations import keys_of, yes_or_no
from fsm_stack.injector.go_values import stored_quantity
from fsm_stack.injector.pieces import SidecarOptions, envoy_sidecar, pipy_sidecar
from fsm_stack.injector.pod_fields import scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.mutation import Pod
    from fsm_stack.injector.pieces import Piece
    from fsm_stack.injector.probes import Summary


def sidecar_options(
    pod: Pod, mesh: MeshView, namespace: NamespaceView, probes: Summary, *, windows: bool
) -> SidecarOptions:
    """What the pod, its namespace and the mesh decide of the sidecar, in that order."""
    known = keys_of(mesh.system)
    own, shared = pod.annotations, namespace.annotations
    image = mesh.sidecar_windows_image if windows else mesh.sidecar_image
    hold = graceful_exit = False
    if mesh.profile.sidecar_options:
        key = known.image
        image = own.get(key) or shared.get(key) or image
        hold = _switch(own, shared, known.hold, mesh.hold)
        graceful_exit = _switch(own, shared, known.graceful_exit, mesh.graceful_exit)
    liveness, readiness, startup = probes.kinds
    return SidecarOptions(
        image=image,
        probes=(liveness is not None, readiness is not None, startup is not None),
        resources=_chosen_resources(own, shared, mesh),
        hold=hold,
        graceful_exit=graceful_exit,
        windows=windows,
        controlled=mesh.sidecar_kind == "pipy" and pod.controller() is not None,
    )


def _switch(
    own: Mapping[str, str],
    shared: Mapping[str, str],
    key: str,
    default: bool,  # noqa: FBT001
) -> bool:
    value = own.get(key)
    if value is None:
        value = shared.get(key)
    return default if value is None else bool(yes_or_no(value))  # an unknown value is off


def _chosen_resources(
    own: Mapping[str, str], shared: Mapping[str, str], mesh: MeshView
) -> tuple[tuple[str, str, str], ...]:
    known = keys_of(mesh.system)
    found = known.resource_set
    if mesh.sidecar_kind != "pipy" or (found.isdisjoint(own) and found.isdisjoint(shared)):
        return ()
    chosen = []
    for kind, name, key in known.resources:
        for source in (own, shared):
            amount = stored_quantity(source[key]) if key in source else None
            if amount is not None:
                chosen.append((kind, name, amount))
                break
    return tuple(chosen)


def sidecar(
    pod: Pod,
    mesh: MeshView,
    namespace: NamespaceView,
    options: SidecarOptions,
    *,
    proxy_id: str,
    service_account: str,
) -> Piece:
    """The sidecar with the pod's own values.

    Raises:
        Refusal: for a service account of the wrong type.
    """
    account = scalar(pod.spec.get("serviceAccountName"), str, "PodSpec.spec.serviceAccountName")
    account = account or service_account
    if mesh.sidecar_kind == "envoy":
        # osm-edge takes the pod's own namespace, which is empty at admission.
        osm = mesh.system.sidecar_kind == "envoy"
        place = namespace.name if osm else pod.metadata.get("namespace") or ""
        return envoy_sidecar(mesh, options).filled(f"{account}.{place}")
    account = account or mesh.profile.service_account
    proxy = f"{proxy_id}.sidecar.{account}.{namespace.name}"
    return pipy_sidecar(mesh, options).filled(proxy, *(pod.controller() or ()))
