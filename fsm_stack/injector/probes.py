"""Health probes, rewritten so that the kubelet's requests reach the application past mTLS.

Source: pkg/injector health_probes.go of FSM, osm-edge and OSM. Reproduced with its faults: a port
name that no port of the same container has counts as 0, and in FSM and osm-edge the pod's summary
keeps only the last container's probe of each kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_stack.injector.go_values import port_number
from fsm_stack.injector.pod import objects, scalar, wrong_type
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
    last: list[Original | None] = [None, None, None]
    by_name: dict[str, list[tuple[int, Original]]] = {}  # the later one of two same names counts
    for index, container in enumerate(containers):
        changed: dict[str, Any] | None = None
        own: list[tuple[int, Original]] = []
        for slot, (field, kind, port) in enumerate(KINDS):
            if field not in container or container[field] is None:
                continue
            probe = container[field]
            if type(probe) is not dict:
                raise wrong_type(probe, f"Container.spec.containers.{field}", "v1.Probe")
            result = _rewrite(probe, kind, port, container, system, by_path=by_path)
            if result is not None:
                changed = changed or dict(container)
                changed[field], original = result
                last[slot] = original
                own.append((slot, original))
        if changed is not None:
            if rewritten is containers:
                rewritten = list(containers)
            rewritten[index] = changed
            name = scalar(container.get("name"), str, "Container.spec.containers.name")
            by_name[name] = own
    if rewritten is containers:
        return containers, NOTHING
    if by_path:
        known = [found for own in by_name.values() for found in own]
        liveness, readiness, startup = map(dict(known).get, range(len(KINDS)))
        helper = any(original.tcp for _, original in known)
    else:  # one slot a kind: what an earlier container had is forgotten
        liveness, readiness, startup = last
        helper = any(original is not None and original.tcp for original in last)
    return rewritten, Summary((liveness, readiness, startup), helper)


def _rewrite(
    probe: dict[str, Any],
    kind: str,
    port: int,
    container: dict[str, Any],
    system: System,
    *,
    by_path: bool,
) -> tuple[dict[str, Any], Original] | None:
    timeout = probe.get("timeoutSeconds", 0)
    if type(timeout) is not int:
        timeout = scalar(timeout, int, f"Probe.spec.containers.{kind}Probe.timeoutSeconds")
    healthcheck = f"/{system.healthcheck_container}"
    http, tcp = probe.get("httpGet"), probe.get("tcpSocket")
    if http is not None:
        if type(http) is not dict:
            field = f"Probe.spec.containers.{kind}Probe.httpGet"
            raise wrong_type(http, field, "v1.HTTPGetAction")
        path = http.get("path", "")
        if type(path) is not str:
            path = scalar(path, str, f"HTTPGetAction.spec.containers.{kind}Probe.httpGet.path")
        number = port_of(http.get("port"), container)
        own = f"/{system.name}-{kind}-probe/{container.get('name') or ''}" if by_path else ""
        changed, is_http, is_https = _http(http, number, port, own, healthcheck)
        original = Original(path, number, timeout, is_http, is_https and not by_path)
        return {**probe, "httpGet": changed}, original
    if tcp is not None:
        if type(tcp) is not dict:
            field = f"Probe.spec.containers.{kind}Probe.tcpSocket"
            raise wrong_type(tcp, field, "v1.TCPSocketAction")
        number = port_of(tcp.get("port"), container)
        changed = {key: value for key, value in probe.items() if key != "tcpSocket"}
        changed["httpGet"] = {
            "path": healthcheck,
            "port": HEALTHCHECK_PORT,
            "httpHeaders": [{"name": TCP_HEADER, "value": str(number)}],
        }
        return changed, Original("", number, timeout, tcp=True)
    return None


def _http(
    http: dict[str, Any], number: int, port: int, own: str, healthcheck: str
) -> tuple[dict[str, Any], bool, bool]:
    """An HTTP probe's new handler, and whether it was HTTP or HTTPS; ``own`` is OSM's path."""
    scheme = http.get("scheme") or ""
    is_http, is_https = scheme in ("", "HTTP"), scheme == "HTTPS"
    changed = dict(http)
    changed["port"] = port
    if own:
        if is_http:
            changed["path"] = own
        return changed, is_http, is_https
    changed["path"] = healthcheck
    headers: list[dict[str, str]] = []
    if is_https:
        changed["scheme"] = "HTTP"
        headers = [{"name": TCP_HEADER, "value": str(number or _HTTPS_PORT)}]
    elif is_http:
        headers = [
            {"name": HTTP_PORT_HEADER, "value": str(number or _HTTP_PORT)},
            {"name": HTTP_PATH_HEADER, "value": http.get("path") or ""},
        ]
    if headers:
        given = objects(http.get("httpHeaders"), "HTTPGetAction.httpHeaders", "HTTPHeader")
        changed["httpHeaders"] = [*given, *headers] if given else headers
    return changed, is_http, is_https


def port_of(port: object, container: dict[str, Any]) -> int:
    """The number of a probe's port: itself, or the container's port of that name, or 0."""
    number = port_number(port)
    if number:
        return number
    known = objects(container.get("ports"), "Container.spec.containers.ports", "ContainerPort")
    for item in known:
        if item.get("name") and item["name"] == port:
            return scalar(item.get("containerPort"), int, "ContainerPort.containerPort") or 0
    return 0
