"""The containers that the injector adds, and what a pod, its namespace and its mesh choose there.

Source: pkg/injector, init_container.go, of FSM, osm-edge and OSM; the Pipy drivers of FSM and
osm-edge, the Envoy drivers of osm-edge and OSM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_stack.injector.annotations import keys_of, yes_or_no
from fsm_stack.injector.go_values import stored_quantity
from fsm_stack.injector.pod_fields import scalar
from fsm_stack.injector.profile import ENVOY_MOUNT, PIPY_MOUNT
from fsm_stack.well_known import (
    ADMIN_PORT,
    HEALTHCHECK_PORT,
    INBOUND_LISTENER_PORT,
    LIVENESS_PROBE_PORT,
    PROMETHEUS_PORT,
    READINESS_PROBE_PORT,
    SIDECAR_UID,
    STARTUP_PROBE_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView, Resources
    from fsm_stack.injector.pod_fields import Pod
    from fsm_stack.injector.probes import Summary

Container = dict[str, Any]

_POD_FIELDS: Final = (
    ("POD_UID", "metadata.uid"),
    ("POD_NAME", "metadata.name"),
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_IP", "status.podIP"),
    ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
)
_PORTS: Final = (
    ("proxy-admin", ADMIN_PORT),
    ("proxy-inbound", INBOUND_LISTENER_PORT),
    ("proxy-metrics", PROMETHEUS_PORT),
)
_PROBE_PORTS: Final = (
    ("liveness-port", LIVENESS_PROBE_PORT),
    ("readiness-port", READINESS_PROBE_PORT),
    ("startup-port", STARTUP_PROBE_PORT),
)
_WAIT: Final = "/usr/local/bin/wait-pipy"
_LINGER: Final = "/usr/local/bin/gkill"


def init_container(mesh: MeshView, script: str) -> Container:
    """The container that loads the redirection's rules, and then ends."""
    address = {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}
    return {
        "name": mesh.system.init_container,
        "image": mesh.init_image,
        "command": ["/bin/sh"],
        "args": ["-c", script],
        "env": [{"name": "POD_IP", "valueFrom": address}],
        "resources": _copied(mesh.init_resources),
        **_pull_policy(mesh),
        "securityContext": {
            "capabilities": {"add": ["NET_ADMIN"]},
            "privileged": mesh.privileged,
            "runAsUser": 0,
            "runAsNonRoot": False,
        },
    }


def healthcheck_container(mesh: MeshView) -> Container:
    """The helper that answers probes of TCP ports."""
    name = mesh.system.healthcheck_container
    return {
        "name": name,
        **({"image": mesh.healthcheck_image} if mesh.healthcheck_image else {}),
        "command": [f"/{name}"],
        # The logger's own level is printed, never the configured one.
        "args": ["--verbosity", "trace"],
        "ports": [{"containerPort": HEALTHCHECK_PORT}],
        "resources": _copied(mesh.healthcheck_resources),
        **_pull_policy(mesh),
    }


class SidecarOptions(NamedTuple):
    """What a pod and its namespace choose of their sidecar.

    Attributes:
        image: the sidecar's.
        probes: which probe ports it listens on: liveness, readiness, startup.
        resources: annotations that count: limits or requests, resource, amount.
        hold: the application waits for the sidecar.
        graceful_exit: the sidecar waits for its clients.
        windows: the pod runs on Windows.
    """

    image: str
    probes: tuple[bool, bool, bool]
    resources: tuple[tuple[str, str, str], ...] = ()
    hold: bool = False
    graceful_exit: bool = False
    windows: bool = False


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
) -> Container:
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
        return _envoy(mesh, options, f"{account}.{place}")
    account = account or mesh.profile.service_account
    proxy = f"{proxy_id}.sidecar.{account}.{namespace.name}"
    return _pipy(mesh, options, proxy, pod.controller())


def _pipy(
    mesh: MeshView, options: SidecarOptions, proxy: str, controller: tuple[str, str] | None
) -> Container:
    base = f"http://{mesh.repo_host}:{mesh.repo_port}/repo/"
    folder = f"{mesh.codebase}/" if mesh.codebase else ""
    names = ("POD_CONTROLLER_KIND", "POD_CONTROLLER_NAME")
    owner = (
        [{"name": name} for name in names]
        if controller is None
        else [_variable(name, value) for name, value in zip(names, controller, strict=True)]
    )
    container = {
        "name": mesh.system.sidecar_container,
        "image": options.image,
        "args": [
            "pipy",
            f"--log-level={mesh.log_level}",
            f"--admin-port={mesh.repo_port}",
            f"{base}{folder}{mesh.profile.repository}/{proxy}/",
        ],
        "ports": _ports(options),
        "env": [
            _variable("MESH_NAME", mesh.name),
            *_pod_environment(),
            *owner,
            *(_variable(name, value) for name, value in mesh.more_environment),
        ],
        "resources": _resources(mesh.resources, options),
        "volumeMounts": [_mount(mesh, PIPY_MOUNT)],
        "imagePullPolicy": "IfNotPresent",
        "securityContext": _security(mesh, options),
    }
    lifecycle = {}
    if options.hold:
        lifecycle["postStart"] = {"exec": {"command": [_WAIT]}}
    if options.graceful_exit:
        lifecycle["preStop"] = {"exec": {"command": [_LINGER]}}
    if lifecycle:
        container["lifecycle"] = lifecycle
    return container


def _envoy(mesh: MeshView, options: SidecarOptions, cluster: str) -> Container:
    return {
        "name": mesh.system.sidecar_container,
        "image": options.image,
        "command": ["envoy"],
        "args": [
            "--log-level",
            mesh.log_level,
            "--config-path",
            f"{ENVOY_MOUNT}/bootstrap.yaml",
            "--service-cluster",
            cluster,
        ],
        "ports": _ports(options),
        "env": _pod_environment(),
        "resources": _copied(mesh.resources),
        "volumeMounts": [_mount(mesh, ENVOY_MOUNT)],
        "imagePullPolicy": "IfNotPresent",
        "securityContext": _security(mesh, options),
    }


def _pull_policy(mesh: MeshView) -> dict[str, str]:
    return {"imagePullPolicy": mesh.pull_policy} if mesh.pull_policy else {}


def _copied(resources: Resources) -> Resources:
    """Resources that a caller may change."""
    return {kind: dict(amounts) for kind, amounts in resources.items()}


def _variable(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def _pod_environment() -> list[dict[str, Any]]:
    return [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in _POD_FIELDS
    ]


def _ports(options: SidecarOptions) -> list[dict[str, Any]]:
    probes = [known for known, used in zip(_PROBE_PORTS, options.probes, strict=True) if used]
    return [{"name": name, "containerPort": port} for name, port in (*_PORTS, *probes)]


def _mount(mesh: MeshView, path: str) -> dict[str, Any]:
    return {"name": mesh.profile.bootstrap_volume, "readOnly": True, "mountPath": path}


def _security(mesh: MeshView, options: SidecarOptions) -> dict[str, Any]:
    if options.windows:
        return {"windowsOptions": {"runAsUserName": mesh.profile.windows_user}}
    return {"runAsUser": SIDECAR_UID, "allowPrivilegeEscalation": False}


def _resources(mesh: Resources, options: SidecarOptions) -> Resources:
    """The mesh's, overridden by those annotations that are quantities."""
    resources = _copied(mesh)
    for kind, name, amount in options.resources:
        stored = stored_quantity(amount)
        if stored is not None:
            resources.setdefault(kind, {})[name] = stored
    return resources
