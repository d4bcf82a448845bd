"""Checks of health probes that nobody answers, or another container does.

Source: pkg/injector of FSM, osm-edge and OSM; the Pipy sidecar's scripts, main.js, probes.js and
modules/inbound-main.js; the Envoy sidecar's bootstrap/config.go in osm-edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.injection.go_values import port_number
from fsm_stack.injection.lint.probes import handlers, listed
from fsm_stack.injection.pod_fields import container_fields
from fsm_stack.injection.probes import KINDS
from fsm_stack.lists import INBOUND_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injection.lint.subject import Json, Subject

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


CHECKS: Final = (no_helper, one_listener, intercepted)
