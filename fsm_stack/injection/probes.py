"""Health probes, rewritten so that the kubelet's requests reach the application past mTLS.

Source: pkg/injector health_probes.go of FSM, osm-edge and OSM. Reproduced with its faults: a port
name that no port of the same container has counts as 0, and in FSM and osm-edge the pod's summary
keeps only the last container's probe of each kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_stack.injection.go_values import port_number
from fsm_stack.injection.shape import mapping, objects, scalar
from fsm_stack.well_known import (
    HEALTHCHECK_PORT,
    LIVENESS_PROBE_PORT,
    READINESS_PROBE_PORT,
    STARTUP_PROBE_PORT,
)

if TYPE_CHECKING:
    from fsm_stack.systems import System

# Field, kind, the sidecar's port.
KINDS: Final = (
    ("livenessProbe", "liveness", LIVENESS_PROBE_PORT),
    ("readinessProbe", "readiness", READINESS_PROBE_PORT),
    ("startupProbe", "startup", STARTUP_PROBE_PORT),
)
TCP_HEADER: Final = "Original-Tcp-Port"
HTTP_PORT_HEADER: Final = "Original-Http-Port"
HTTP_PATH_HEADER: Final = "Original-Http-Path"
_HTTP_PORT: Final = 80
_HTTPS_PORT: Final = 443


class Original(NamedTuple):
    """A probe as the user wrote it, which the sidecar's bootstrap configuration keeps."""

    path: str
    port: int
    timeout: int
    http: bool = False
    tcp: bool = False


class Summary(NamedTuple):
    """What the pod's containers get because of its probes.

    Attributes:
        kinds: liveness, readiness, startup: the original that counts, or None.
        helper: the health-check container is needed.
    """

    kinds: tuple[Original | None, Original | None, Original | None]
    helper: bool


NOTHING: Final = Summary((None, None, None), helper=False)


def rewrite_probes(
    containers: list[dict[str, Any]], system: System, *, by_path: bool
) -> tuple[list[dict[str, Any]], Summary]:
    """The containers with their probes rewritten; a container without any is the same object.

    Args:
        containers: the pod's own, neither init nor ephemeral ones.
        system: whose injector.
        by_path: OSM's way; otherwise headers carry the original.

    Raises:
        Refusal: for a field of the wrong type.
    """
    rewritten = containers
    found: dict[str, list[Original | None]] = {}
    for index, container in enumerate(containers):
        if not (
            "livenessProbe" in container
            or "readinessProbe" in container
            or "startupProbe" in container
        ):
            continue
        originals: list[Original | None] = [None, None, None]
        changed = dict(container)
        for slot, (field, kind, port) in enumerate(KINDS):
            probe = container.get(field)
            if probe is None:
                continue
            probe = mapping(probe, f"Container.spec.containers.{field}", "v1.Probe")
            result = _rewrite(probe, kind, port, container, system, by_path=by_path)
            if result is not None:
                changed[field], originals[slot] = result
        if any(originals):
            if rewritten is containers:
                rewritten = list(containers)
            rewritten[index] = changed
            found[container.get("name") or ""] = originals
    return rewritten, _summary(found, by_path=by_path)


def _summary(found: dict[str, list[Original | None]], *, by_path: bool) -> Summary:
    if not found:
        return NOTHING
    last: list[Original | None] = [None, None, None]
    helper = False
    for originals in found.values():
        for slot, original in enumerate(originals):
            if original is not None:
                last[slot] = original
                helper = helper or original.tcp
    if not by_path:  # one slot a kind: what an earlier container had is forgotten
        helper = any(original is not None and original.tcp for original in last)
    return Summary((last[0], last[1], last[2]), helper)


def _rewrite(
    probe: dict[str, Any],
    kind: str,
    port: int,
    container: dict[str, Any],
    system: System,
    *,
    by_path: bool,
) -> tuple[dict[str, Any], Original] | None:
    timeout = scalar(probe.get("timeoutSeconds"), int, "Probe.timeoutSeconds")
    healthcheck = f"/{system.healthcheck_container}"
    http, tcp = probe.get("httpGet"), probe.get("tcpSocket")
    if http is not None:
        http = mapping(http, f"Probe.spec.containers.{kind}Probe.httpGet", "v1.HTTPGetAction")
        scheme = http.get("scheme") or ""
        path = scalar(http.get("path"), str, "HTTPGetAction.path")
        is_http = scheme in ("", "HTTP")
        is_https = scheme == "HTTPS"
        number = port_of(http.get("port"), container)
        changed = dict(http)
        changed["port"] = port
        if by_path:
            if is_http:
                name = container.get("name") or ""
                changed["path"] = f"/{system.name}-{kind}-probe/{name}"
            return {**probe, "httpGet": changed}, Original(path, number, timeout, http=is_http)
        changed["path"] = healthcheck
        if is_https:
            changed["scheme"] = "HTTP"
            headers = [{"name": TCP_HEADER, "value": str(number or _HTTPS_PORT)}]
        elif is_http:
            headers = [
                {"name": HTTP_PORT_HEADER, "value": str(number or _HTTP_PORT)},
                {"name": HTTP_PATH_HEADER, "value": path},
            ]
        else:
            headers = []
        if headers:
            changed["httpHeaders"] = [*(http.get("httpHeaders") or ()), *headers]
        return {**probe, "httpGet": changed}, Original(
            path, number, timeout, http=is_http, tcp=is_https
        )
    if tcp is not None:
        tcp = mapping(tcp, f"Probe.spec.containers.{kind}Probe.tcpSocket", "v1.TCPSocketAction")
        number = port_of(tcp.get("port"), container)
        changed = {key: value for key, value in probe.items() if key != "tcpSocket"}
        changed["httpGet"] = {
            "path": healthcheck,
            "port": HEALTHCHECK_PORT,
            "httpHeaders": [{"name": TCP_HEADER, "value": str(number)}],
        }
        return changed, Original("", number, timeout, tcp=True)
    return None


def port_of(port: object, container: dict[str, Any]) -> int:
    """The number of a probe's port: itself, or the container's port of that name, or 0."""
    number = port_number(port)
    if number:
        return number
    name = port if isinstance(port, str) else "0"
    known = objects(container.get("ports"), "Container.spec.containers.ports", "ContainerPort")
    for item in known:
        if item.get("name") and item["name"] == name:
            return scalar(item.get("containerPort"), int, "ContainerPort.containerPort") or 0
    return 0
