"""Checks of health probes: those that fail in the mesh, and those that nobody answers.

Source: pkg/injector of FSM, osm-edge and OSM; the Pipy sidecar's scripts, main.js, probes.js and
modules/inbound-main.js; the Envoy sidecar's bootstrap/config.go in osm-edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector.go_values import port_number
from fsm_stack.injector.pod import container_fields
from fsm_stack.injector.probes import KINDS
from fsm_stack.lists import INBOUND_PORTS
from fsm_stack.well_known import RESERVED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.workloads.lint.subject import Subject
    from fsm_stack.yaml import Json


_SCHEMES: Final = frozenset({"", "HTTP", "HTTPS"})
_LISTENERS: Final = {kind: port for _, kind, port in KINDS}


def handlers(subject: Subject) -> Iterator[tuple[str, str, str, Json, Json]]:
    """Path, kind, handler's name, handler, container of every probe that is rewritten."""
    if subject.mutation is None or subject.mutation.spec is None:
        return
    for path, container in subject.items("containers"):
        for field, kind, _ in KINDS:
            probe = container.get(field)
            if type(probe) is not dict:
                continue
            for name in ("httpGet", "tcpSocket"):  # httpGet wins
                handler = probe.get(name)
                if type(handler) is dict:
                    yield f"{path}.{field}.{name}", kind, name, handler, container
                    break


def unknown_port(subject: Subject) -> Iterator[Finding]:
    """A port name that no port of the same container has."""
    for path, kind, _, handler, container in handlers(subject):
        port = handler.get("port")
        names = {
            str(item.get("name") or "")
            for item in listed(container.get("ports"))
            if type(item) is dict
        }
        if isinstance(port, str) and not port_number(port) and port not in names:
            known = ", ".join(sorted(name for name in names if name)) or "none"
            yield finding(
                "probe-port-unknown",
                f"container {container.get('name')}: the {kind} probe asks port {port!r}; "
                f"the container's named ports: {known}",
                path=f"{path}.port",
                value=port,
            )


def reserved_port(subject: Subject) -> Iterator[Finding]:
    """A probe of a port that the sidecar answers."""
    for path, kind, _, handler, container in handlers(subject):
        number = port_number(handler.get("port"))
        if number in RESERVED_PORTS and not subject.injected:
            yield finding(
                "probe-reserved-port",
                f"container {container.get('name')}: the {kind} probe asks port {number}, "
                f"{RESERVED_PORTS[number]}",
                path=f"{path}.port",
                value=number,
            )


def scheme(subject: Subject) -> Iterator[Finding]:
    """A scheme that the injector does not recognise."""
    for path, kind, _, handler, container in handlers(subject):
        value = handler.get("scheme")
        if type(value) is str and value not in _SCHEMES:
            yield finding(
                "probe-scheme",
                f"container {container.get('name')}: the {kind} probe's scheme is {value!r}, "
                "expected HTTP or HTTPS",
                path=f"{path}.scheme",
                value=value,
            )


def host(subject: Subject) -> Iterator[Finding]:
    """A probe that names a host."""
    for path, kind, name, handler, container in handlers(subject):
        asked = handler.get("host")
        if not asked or subject.injected:
            continue
        who = f"container {container.get('name')}: the {kind} probe asks {asked}"
        if name == "tcpSocket":
            message, severity = f"{who}; the injector makes it ask this pod", None
        else:
            port = _LISTENERS[kind]
            message = f"{who}; the injector keeps the host and makes the port {port}"
            severity = Severity.ERROR
        yield finding("probe-host", message, path=f"{path}.host", value=asked, severity=severity)


def listed(value: object) -> list[Any]:
    """A list, or an empty one for anything else."""
    return value if type(value) is list else []


CHECKS: Final = (unknown_port, reserved_port, scheme, host)


_SORTS: Final = {"helper": "an HTTPS probe", "nobody": "no HTTP probe"}


def no_helper(subject: Subject) -> Iterator[Finding]:
    """Probes that only the helper answers, which the injector adds for the last container's."""
    if not _one_of_a_kind(subject) or _has_helper(subject):
        return
    for path, kind, name, handler, container in handlers(subject):
        what = "TCP" if name == "tcpSocket" else "HTTPS"
        if what == "TCP" or handler.get("scheme") == "HTTPS":
            yield finding(
                "probe-lost",
                f"container {container.get('name')}: the injector goes by the last container's "
                f"probes and adds no helper, so nothing answers this {kind} probe ({what})",
                path=path,
                severity=Severity.ERROR,
            )


def one_listener(subject: Subject) -> Iterator[Finding]:
    """HTTP probes of one kind, which share a listener of the sidecar that knows one container."""
    if not _one_of_a_kind(subject):
        return
    pipy = subject.mesh.sidecar_kind == "pipy"
    for path, kind, name, _, container in handlers(subject):
        if name != "httpGet":
            continue
        field = f"{kind}Probe"
        known = _known(subject, field, pipy=pipy)
        own, its = _answered_by(container[field]), _answered_by(known[field])
        if its != "application" and not (pipy and own == its):
            message = (
                f"this {kind} probe fails: the sidecar goes by container {known.get('name')}'s, "
                f"which is {_SORTS[its]}"
            )
            severity: Severity | None = Severity.ERROR
        elif its == "application" and container is not known:
            message = f"the sidecar answers this {kind} probe as container {known.get('name')}'s"
            severity = None
        else:
            continue
        who = f"container {container.get('name')}: "
        yield finding("probe-lost", who + message, path=path, severity=severity)


def _one_of_a_kind(subject: Subject) -> bool:
    """FSM and osm-edge go by one probe of a kind, OSM by each container's."""
    return subject.mesh.profile.probes == "header" and not subject.injected


def _has_helper(subject: Subject) -> bool:
    return subject.mutation is not None and subject.mutation.probes.helper


def _known(subject: Subject, field: str, *, pipy: bool) -> Json:
    """The container whose probe the sidecar goes by: Pipy's script and Envoy's bootstrap differ.

    Pipy takes the first, of any handler; Envoy the last of those that the injector rewrites.
    """
    probed = [item for _, item in subject.items("containers") if type(item.get(field)) is dict]
    if pipy:
        return probed[0]
    return next(c for c in reversed(probed) if {"httpGet", "tcpSocket"} & c[field].keys())


def _answered_by(probe: Json) -> Literal["application", "helper", "nobody"]:
    """Whom the sidecar's listener asks for this probe; it does not listen for a TCP probe."""
    http = probe.get("httpGet")
    if type(http) is not dict:
        return "nobody"
    return "helper" if http.get("scheme") == "HTTPS" else "application"


def intercepted(subject: Subject) -> Iterator[Finding]:
    """Probes that the injector leaves as they are, of ports that it redirects."""
    interception = None if subject.mutation is None else subject.mutation.interception
    if interception is None:
        return
    excluded = interception.lists.inbound_ports
    key = subject.key(INBOUND_PORTS)
    for path, kind, name, handler, container in _left_as_they_are(subject):
        port = port_number(handler.get("port")) or _named(handler.get("port"), container)
        if port and port not in excluded:
            yield finding(
                "probe-intercepted",
                f"container {container.get('name')}: the {kind} probe ({name}, port {port}) is "
                "not rewritten: the kubelet's connection ends at the sidecar, which resets it",
                path=f"{path}.{kind}Probe.{name}",
                value=port,
                fix=f'Exclude the port with {key}: "{port}", or use an exec probe.',
            )


def _left_as_they_are(subject: Subject) -> Iterator[tuple[str, str, str, Json, Json]]:
    """Path of the container, kind, handler's name, handler, container."""
    for path, container in subject.items("containers"):
        for field, kind, _ in KINDS:
            probe = container.get(field)
            if type(probe) is dict and type(probe.get("grpc")) is dict:
                yield path, kind, "grpc", probe["grpc"], container
    if "restartPolicy" not in container_fields(subject.mesh.system):
        return  # there are no native sidecars
    for path, container in subject.items("initContainers"):
        for kind in ("liveness", "readiness"):  # startup is over when the redirection begins
            probe = container.get(f"{kind}Probe")
            for name in ("httpGet", "tcpSocket", "grpc"):
                handler = probe.get(name) if type(probe) is dict else None
                if container.get("restartPolicy") == "Always" and type(handler) is dict:
                    yield path, kind, name, handler, container


def _named(name: object, container: Json) -> int:
    for item in listed(container.get("ports")):
        if type(item) is dict and type(name) is str and item.get("name") == name:
            return port_number(item.get("containerPort"))
    return 0


UNANSWERED_CHECKS: Final = (no_helper, one_listener, intercepted)
