"""The containers that the injector adds: text made once for all pods that get the same.

So a mutation encodes only the user's own fields, in JSON and in YAML.

Source: pkg/injector, init_container.go, of FSM, osm-edge and OSM, and
the containers of their sidecar drivers.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from fsm_stack.injector.go_values import stored_quantity
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
from fsm_stack.yaml.write import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fsm_stack.injector.mesh import MeshView, Resources

Container = dict[str, Any]

# A hole in a text. Private use: no name, UUID or path of Kubernetes holds it, and YAML quotes it.
MARK: Final = "\ue000\ue001"

_encode_any: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(value: object) -> str:
    """Compact JSON text of decoded JSON."""
    try:
        return to_json(value, inf_nan_mode="constants").decode()  # a third of json's time
    except PydanticSerializationError:  # half a surrogate pair, or a deep value
        return _encode_any(value)


class _Template:
    """A container with holes, made once for all pods that get the same."""

    __slots__ = ("json", "make", "yaml")

    def __init__(self, make: Callable[..., Container], holes: int) -> None:
        self.make = make
        self.json = encode(make(*[MARK] * holes)).split(encode(MARK)[1:-1])
        self.yaml: tuple[str, ...] = ()


class Piece:
    """A container to add: what all pods get, and one pod's own texts for its holes."""

    __slots__ = ("_holes", "_template")

    def __init__(self, template: _Template, holes: tuple[str, ...] = ()) -> None:
        self._template = template
        self._holes = holes

    def filled(self, *holes: str) -> Piece:
        """The same piece with a pod's own values in its holes."""
        return Piece(self._template, holes)

    def plain(self) -> Container:
        """The container as plain data, made anew: callers may change it."""
        return self._template.make(*self._holes)

    def text(self) -> str:
        """The container as JSON."""
        return self._joined(self._template.json, _encode_any)

    def yaml_item(self, dump: Callable[[Mapping[str, Any]], str], pad: str) -> str:
        """The container as an item of a YAML sequence, without the last line's end.

        Args:
            dump: an object as YAML text; the same function for every call.
            pad: the blanks in front of the sequence's dashes.
        """
        template = self._template
        if not template.yaml:
            holes = [MARK] * (len(template.json) - 1)
            item = dump({"x": [template.make(*holes)]}).partition("\n")[2].rstrip("\n")
            template.yaml = tuple(item.split(MARK))  # the marks put double quotes around holes
        return pad + self._joined(template.yaml, quoted).replace("\n", f"\n{pad}")

    def _joined(self, texts: Sequence[str], quote: Callable[[str], str]) -> str:
        if not self._holes:
            return texts[0]
        parts = [texts[0]]
        for hole, text in zip(self._holes, texts[1:], strict=True):
            parts.append(quote(hole)[1:-1])
            parts.append(text)
        return "".join(parts)


def piece(make: Callable[..., Container], holes: int = 0) -> Piece:
    """A piece of a function that makes the container from its holes' texts."""
    return Piece(_Template(make, holes))


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


def init_container(mesh: MeshView, script: str) -> Piece:
    """The container that loads the redirection's rules, and then ends."""

    def make() -> Container:
        return {
            "name": mesh.system.init_container,
            "image": mesh.init_image,
            "command": ["/bin/sh"],
            "args": ["-c", script],
            "env": [
                {
                    "name": "POD_IP",
                    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}},
                }
            ],
            "resources": copied(mesh.init_resources),
            **_pull_policy(mesh),
            "securityContext": {
                "capabilities": {"add": ["NET_ADMIN"]},
                "privileged": mesh.privileged,
                "runAsUser": 0,
                "runAsNonRoot": False,
            },
        }

    return piece(make)


@lru_cache(maxsize=64)
def healthcheck_container(mesh: MeshView) -> Piece:
    """The helper that answers probes of TCP ports."""

    def make() -> Container:
        name = mesh.system.healthcheck_container
        container: Container = {"name": name}
        if mesh.healthcheck_image:
            container["image"] = mesh.healthcheck_image
        container |= {
            "command": [f"/{name}"],
            # The logger's own level is printed, never the configured one.
            "args": ["--verbosity", "trace"],
            "ports": [{"containerPort": HEALTHCHECK_PORT}],
            "resources": copied(mesh.healthcheck_resources),
            **_pull_policy(mesh),
        }
        return container

    return piece(make)


class SidecarOptions(NamedTuple):
    """What a pod and its namespace choose of their sidecar.

    Attributes:
        image: the sidecar's.
        probes: which probe ports it listens on: liveness, readiness, startup.
        resources: annotations that count: limits or requests, resource, amount.
        hold: the application waits for the sidecar.
        graceful_exit: the sidecar waits for its clients.
        windows: the pod runs on Windows.
        controlled: a controller owns the pod.
    """

    image: str
    probes: tuple[bool, bool, bool]
    resources: tuple[tuple[str, str, str], ...] = ()
    hold: bool = False
    graceful_exit: bool = False
    windows: bool = False
    controlled: bool = False


@lru_cache(maxsize=1024)
def pipy_sidecar(mesh: MeshView, options: SidecarOptions) -> Piece:
    """The Pipy sidecar; holes: its name in the repository, then the owner's kind and name."""
    base = f"http://{mesh.repo_host}:{mesh.repo_port}/repo/"
    folder = f"{mesh.codebase}/" if mesh.codebase else ""
    repository = f"{base}{folder}{mesh.profile.repository}/"

    def make(proxy: str, kind: str = "", name: str = "") -> Container:
        owner = (
            [
                {"name": "POD_CONTROLLER_KIND", "value": kind},
                {"name": "POD_CONTROLLER_NAME", "value": name},
            ]
            if options.controlled
            else [{"name": "POD_CONTROLLER_KIND"}, {"name": "POD_CONTROLLER_NAME"}]
        )
        container = {
            "name": mesh.system.sidecar_container,
            "image": options.image,
            "args": [
                "pipy",
                f"--log-level={mesh.log_level}",
                f"--admin-port={mesh.repo_port}",
                f"{repository}{proxy}/",
            ],
            "ports": _ports(options),
            "env": [
                {"name": "MESH_NAME", "value": mesh.name},
                *_pod_environment(),
                *owner,
                *({"name": name, "value": value} for name, value in mesh.more_environment),
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

    return piece(make, 3 if options.controlled else 1)


@lru_cache(maxsize=256)
def envoy_sidecar(mesh: MeshView, options: SidecarOptions) -> Piece:
    """The Envoy sidecar; hole: service account and namespace."""

    def make(cluster: str) -> Container:
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
            "resources": copied(mesh.resources),
            "volumeMounts": [_mount(mesh, ENVOY_MOUNT)],
            "imagePullPolicy": "IfNotPresent",
            "securityContext": _security(mesh, options),
        }

    return piece(make, 1)


def _pull_policy(mesh: MeshView) -> dict[str, str]:
    return {"imagePullPolicy": mesh.pull_policy} if mesh.pull_policy else {}


def copied(resources: Resources) -> Resources:
    """Resources that a caller may change."""
    return {kind: dict(amounts) for kind, amounts in resources.items()}


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
    resources = copied(mesh)
    for kind, name, amount in options.resources:
        stored = stored_quantity(amount)
        if stored is not None:
            resources.setdefault(kind, {})[name] = stored
    return resources
