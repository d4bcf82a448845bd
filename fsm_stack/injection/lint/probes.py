"""Checks of health probes: those that work without the mesh, and fail in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.injection.go_values import port_number
from fsm_stack.injection.probes import KINDS
from fsm_stack.well_known import RESERVED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injection.lint.subject import Json, Subject

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
