"""Checks of containers and of the pod around them: ports, users, names, networks, lost fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import SHOWN_MAX, Finding, Severity, finding
from fsm_stack.injector.pod import METADATA_FIELDS, container_fields, spec_fields
from fsm_stack.settings.models.base import DNS_LABEL, DNS_NAME, EXPECTED, LABEL_MAX, NAME_MAX
from fsm_stack.well_known import RESERVED_PORTS, SIDECAR_UID
from fsm_stack.workloads.documents import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.workloads.lint.subject import Subject
    from fsm_stack.yaml import Json


def _own(subject: Subject) -> Iterator[tuple[str, Json]]:
    """The containers that run with the sidecar beside them, native sidecars among them."""
    for path, container in _users(subject):
        if path.startswith("spec.containers") or container.get("restartPolicy") == "Always":
            yield path, container


def _users(subject: Subject) -> Iterator[tuple[str, Json]]:
    """The user's containers and init containers: not those of an earlier injection."""
    system = subject.mesh.system
    added = {system.init_container, system.sidecar_container, system.healthcheck_container}
    for name in ("containers", "initContainers"):
        for path, container in subject.items(name):
            if not (subject.carries and container.get("name") in added):
                yield path, container


def reserved_ports(subject: Subject) -> Iterator[Finding]:
    """H13: a container's port is one of the mesh's."""
    repository = subject.mesh.repo_port
    for path, container in _own(subject):
        ports = container.get("ports")
        for index, port in enumerate(ports if type(ports) is list else ()):
            number = port.get("containerPort") if type(port) is dict else None
            if type(number) is not int:
                continue
            purpose = RESERVED_PORTS.get(number)
            if purpose is None and number == repository and subject.mesh.sidecar_kind == "pipy":
                purpose = "the sidecar's repository and admin port"
            if purpose is not None:
                yield finding(
                    "reserved-port",
                    f"container {container.get('name')}: port {number} is reserved: {purpose}",
                    path=f"{path}.ports[{index}].containerPort",
                    value=number,
                )


def names(subject: Subject) -> Iterator[Finding]:
    """Names that the API server refuses, some of which the injector writes into its command."""
    given = [
        ("metadata.name", subject.metadata.get("name"), DNS_NAME, NAME_MAX),
        ("spec.serviceAccountName", subject.spec.get("serviceAccountName"), DNS_NAME, NAME_MAX),
        *((f"{path}.name", one.get("name"), DNS_LABEL, LABEL_MAX)
          for path, one in _users(subject)),
    ]  # fmt: skip
    for path, name, form, most in given:
        if not isinstance(name, str) or not name or PLACEHOLDER.search(name):
            continue  # absent, of a wrong type, or not rendered: said elsewhere
        if len(name) > most or not re.fullmatch(form, name):
            yield finding(
                "refused-name",
                f"{path}: expected at most {most} {EXPECTED[form]}, got {name[:SHOWN_MAX]!r}",
                path=path,
                value=name,
            )


def reserved_user(subject: Subject) -> Iterator[Finding]:
    """H12: the application runs as the sidecar's user."""
    pod = subject.spec.get("securityContext")
    shared = pod.get("runAsUser") if type(pod) is dict else None
    if shared == SIDECAR_UID:
        yield finding(
            "reserved-uid",
            f"the pod runs as user {SIDECAR_UID}, the sidecar's: its traffic bypasses the mesh",
            path="spec.securityContext.runAsUser",
            value=shared,
        )
    for path, container in _users(subject):
        context = container.get("securityContext")
        if type(context) is dict and context.get("runAsUser") == SIDECAR_UID:
            yield finding(
                "reserved-uid",
                f"container {container.get('name')} runs as user {SIDECAR_UID}, the "
                "sidecar's: its traffic bypasses the mesh",
                path=f"{path}.securityContext.runAsUser",
                value=SIDECAR_UID,
            )


def reserved_names(subject: Subject) -> Iterator[Finding]:
    """A container is called like one that the injector adds, and is none that it added."""
    mutation = subject.mutation
    if mutation is None or _live(subject):
        return
    added = {item["name"] for item in mutation.last}
    if mutation.first is not None:
        added.add(mutation.first["name"])
    if mutation.init is not None:
        added.add(subject.mesh.system.init_container)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for path, container in subject.items(name):
            if str(container.get("name")) in added:
                yield finding(
                    "reserved-name",
                    f"container {container['name']}: the injector adds one of this name",
                    path=f"{path}.name",
                    value=container["name"],
                )


def _live(subject: Subject) -> bool:
    """Whether the mesh's containers in a pod are the injector's: it labels what it makes."""
    labels = subject.metadata.get("labels")
    marked = type(labels) is dict and subject.mesh.system.proxy_label in labels
    return marked and subject.carries


def init_containers(subject: Subject) -> Iterator[Finding]:
    """H17: init containers whose traffic is not proxied."""
    if subject.mutation is None or subject.mutation.init is None or subject.carries:
        return
    for path, container in subject.items("initContainers"):
        native = container.get("restartPolicy") == "Always"
        yield finding(
            "init-unproxied",
            f"init container {container.get('name')} "
            + (
                f"starts before {subject.mesh.system.init_container}: its traffic is "
                "intercepted only from then on"
                if native
                else f"runs before {subject.mesh.system.init_container}: its traffic is not "
                "intercepted"
            ),
            path=path,
        )


def host_network(subject: Subject) -> Iterator[Finding]:
    """The pod can never be injected."""
    if subject.spec.get("hostNetwork") is True:
        lists = subject.given()
        tail = f"; {', '.join(lists)} has no effect" if lists else ""
        yield finding(
            "host-network",
            f"hostNetwork: the pod shares the node's network namespace and is not injected{tail}",
            path="spec.hostNetwork",
        )


def already_injected(subject: Subject) -> Iterator[Finding]:
    """The pod carries the bootstrap volume of an earlier injection."""
    name = subject.mesh.profile.bootstrap_volume
    for path, volume in subject.items("volumes"):
        if volume.get("name") == name:
            yield finding(
                "already-injected",
                f"volume {name}: the pod is injected already; the injector changes its id, and "
                "rewrites its probes once more",
                path=path,
            )
            return


def assumed_namespace(subject: Subject) -> Iterator[Finding]:
    """The decision rests on a namespace that nobody has shown."""
    if subject.namespace.assumed:
        yield finding(
            "namespace-assumed",
            f"namespace {subject.namespace.name} is not in the input: assumed to be enrolled",
        )


def unknown_address(subject: Subject) -> Iterator[Finding]:
    """The DNS settings of the pod depend on an address that only a cluster knows."""
    mesh = subject.mesh
    if (
        mesh.dns_proxy
        and mesh.controller_ip is None
        and subject.mutation is not None
        and subject.mutation.init is not None
    ):
        what = "hostAliases" if mesh.profile.dns == "local" else "hostAliases and DNS settings"
        yield finding(
            "address-unknown",
            f"the controller Service's cluster IP is not known here: the pod's {what} are not "
            "shown",
        )


def lost_fields(subject: Subject) -> Iterator[Finding]:
    """Fields that the injector's client library does not know."""
    if subject.mutation is None or subject.mutation.spec is None:
        return
    system = subject.mesh.system
    lost = [f"metadata.{key}" for key in subject.metadata if key not in METADATA_FIELDS]
    lost += [f"spec.{key}" for key in subject.spec if key not in spec_fields(system)]
    known = container_fields(system)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for path, container in subject.items(name):
            lost += [
                f"{path}.{key}"
                for key in container
                if key not in known and not (name == "ephemeralContainers" and key == _TARGET)
            ]
    for path in lost:
        native = path.startswith("spec.initContainers") and path.endswith(".restartPolicy")
        yield finding(
            "field-lost",
            f"{system.title}'s injector drops {path}"
            + (": the native sidecar becomes an init container that never ends" if native else ""),
            path=path,
            severity=Severity.ERROR if native else None,
        )


_TARGET: Final = "targetContainerName"

CHECKS: Final = (
    reserved_ports,
    reserved_user,
    reserved_names,
    names,
    init_containers,
    already_injected,
    assumed_namespace,
    unknown_address,
    lost_fields,
)
