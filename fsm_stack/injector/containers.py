"""The containers that the injector adds, and what a pod, its namespace and its mesh choose there.

Source: pkg/injector, init_container.go, of FSM, osm-edge and OSM; the Pipy drivers of FSM and
osm-edge, the Envoy drivers of osm-edge and OSM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.annotations import keys_of, yes_or_no
from fsm_stack.injector.go_values import stored_quantity
from fsm_stack.injector.pod import scalar
from fsm_stack.injector.probes import KINDS
from fsm_stack.injector.profile import ENVOY_MOUNT, PIPY_MOUNT
from fsm_stack.well_known import (
    ADMIN_PORT,
    HEALTHCHECK_PORT,
    INBOUND_LISTENER_PORT,
    PROMETHEUS_PORT,
    SIDECAR_UID,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView, Resources
    from fsm_stack.injector.pod import Pod
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


def held(pod: Pod, mesh: MeshView, namespace: NamespaceView) -> bool:
    """Whether the application waits for the sidecar."""
    return _switch(pod, mesh, namespace, keys_of(mesh.system).hold, default=mesh.hold)


def _switch(
    pod: Pod, mesh: MeshView, namespace: NamespaceView, key: str, *, default: bool
) -> bool:
    """What the pod, its namespace or the mesh says, in that order."""
    if not mesh.profile.sidecar_options:
        return False
    value = pod.annotations.get(key)
    if value is None:
        value = namespace.annotations.get(key)
    return default if value is None else bool(yes_or_no(value))  # an unknown value is off


def sidecar(
    pod: Pod,
    mesh: MeshView,
    namespace: NamespaceView,
    probes: Summary,
    *,
    windows: bool,
    proxy_id: str,
    service_account: str,
) -> Container:
    """The sidecar of a pod.

    Raises:
        Refusal: for owners or a service account of the wrong type.
    """
    pipy = mesh.sidecar_kind == "pipy"
    controller = pod.controller() if pipy else None
    account = scalar(pod.spec.get("serviceAccountName"), str, "PodSpec.spec.serviceAccountName")
    account = account or service_account
    environment = _pod_environment()
    if pipy:
        account = account or mesh.profile.service_account
        command = _pipy_command(mesh, f"{proxy_id}.sidecar.{account}.{namespace.name}")
        environment = _pipy_environment(mesh, environment, controller)
    else:
        # osm-edge takes the pod's own namespace, which is empty at admission.
        osm = mesh.system.sidecar_kind == "envoy"
        place = namespace.name if osm else pod.metadata.get("namespace") or ""
        command = _envoy_command(mesh, f"{account}.{place}")
    mount = PIPY_MOUNT if pipy else ENVOY_MOUNT
    return {
        "name": mesh.system.sidecar_container,
        "image": _image(pod, mesh, namespace, windows=windows),
        **command,
        "ports": _ports(probes),
        "env": environment,
        "resources": sidecar_resources(pod.annotations, mesh, namespace)
        if pipy
        else _copied(mesh.resources),
        "volumeMounts": [
            {"name": mesh.profile.bootstrap_volume, "readOnly": True, "mountPath": mount}
        ],
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"windowsOptions": {"runAsUserName": mesh.profile.windows_user}}
        if windows
        else {"runAsUser": SIDECAR_UID, "allowPrivilegeEscalation": False},
        **_lifecycle(pod, mesh, namespace),
    }


def _image(pod: Pod, mesh: MeshView, namespace: NamespaceView, *, windows: bool) -> str:
    default = mesh.sidecar_windows_image if windows else mesh.sidecar_image
    if not mesh.profile.sidecar_options:
        return default
    key = keys_of(mesh.system).image
    return pod.annotations.get(key) or namespace.annotations.get(key) or default


def _pipy_command(mesh: MeshView, proxy: str) -> Container:
    base = f"http://{mesh.repo_host}:{mesh.repo_port}/repo/"
    folder = f"{mesh.codebase}/" if mesh.codebase else ""
    return {
        "args": [
            "pipy",
            f"--log-level={mesh.log_level}",
            f"--admin-port={mesh.repo_port}",
            f"{base}{folder}{mesh.profile.repository}/{proxy}/",
        ]
    }


def _envoy_command(mesh: MeshView, cluster: str) -> Container:
    arguments = ("--log-level", mesh.log_level, "--config-path", f"{ENVOY_MOUNT}/bootstrap.yaml")
    return {"command": ["envoy"], "args": [*arguments, "--service-cluster", cluster]}


def _pipy_environment(
    mesh: MeshView, of_pod: list[dict[str, Any]], controller: tuple[str, str] | None
) -> list[dict[str, Any]]:
    names = ("POD_CONTROLLER_KIND", "POD_CONTROLLER_NAME")
    owner = (
        [{"name": name} for name in names]
        if controller is None
        else [_variable(name, value) for name, value in zip(names, controller, strict=True)]
    )
    more = [_variable(name, value) for name, value in mesh.more_environment]
    return [_variable("MESH_NAME", mesh.name), *of_pod, *owner, *more]


def _variable(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def _pod_environment() -> list[dict[str, Any]]:
    return [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in _POD_FIELDS
    ]


def _ports(probes: Summary) -> list[dict[str, Any]]:
    """The sidecar's own, and one for each kind of probe that it answers."""
    known = list(_PORTS)
    for (_, kind, port), original in zip(KINDS, probes.kinds, strict=True):
        if original is not None:
            known.append((f"{kind}-port", port))
    return [{"name": name, "containerPort": port} for name, port in known]


def sidecar_resources(
    annotations: Mapping[str, str], mesh: MeshView, namespace: NamespaceView
) -> Resources:
    """The mesh's, overridden by those annotations that are quantities."""
    resources = _copied(mesh.resources)
    for kind, name, key in keys_of(mesh.system).resources:
        for source in (annotations, namespace.annotations):
            amount = stored_quantity(source[key]) if key in source else None
            if amount is not None:
                resources.setdefault(kind, {})[name] = amount
                break
    return resources


def _lifecycle(pod: Pod, mesh: MeshView, namespace: NamespaceView) -> Container:
    hooks = {}
    if held(pod, mesh, namespace):
        hooks["postStart"] = {"exec": {"command": [_WAIT]}}
    key = keys_of(mesh.system).graceful_exit
    if _switch(pod, mesh, namespace, key, default=mesh.graceful_exit):
        hooks["preStop"] = {"exec": {"command": [_LINGER]}}
    return {"lifecycle": hooks} if hooks else {}


def _pull_policy(mesh: MeshView) -> dict[str, str]:
    return {"imagePullPolicy": mesh.pull_policy} if mesh.pull_policy else {}


def _copied(resources: Resources) -> Resources:
    """Resources that a caller may change."""
    return {kind: dict(amounts) for kind, amounts in resources.items()}
