"""Checks of what stands around the application: jobs, other injectors, admission, inner networks.

Source: hazards H27 to H30; Kubernetes' pod security standards; the annotations of Vault's injector
and the daprd container as their documentations have them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector import annotations as keys
from fsm_stack.injector.go_values import port_number
from fsm_stack.injector.mutate import METRICS_ANNOTATIONS
from fsm_stack.injector.probes import KINDS
from fsm_stack.lists import INBOUND_PORTS, INTERFACES, OUTBOUND_PORTS
from fsm_stack.well_known import INJECTION, RESERVED_PORTS, SIDECAR_UID
from fsm_stack.workloads.lint.subject import annotation_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.systems import System
    from fsm_stack.workloads.lint.subject import Subject
    from fsm_stack.yaml import Json

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_LEVELS: Final = frozenset({"baseline", "restricted"})  # both refuse NET_ADMIN
_VAULT: Final = "vault.hashicorp.com"
_VAULT_PORT: Final = 8200
_VAULT_INIT: Final = "vault-agent-init"
_DAPR: Final = "dapr.io/enabled"
_DAPR_CONTAINER: Final = "daprd"
_DAPR_PROBE_PORT: Final = 3501
_DOCKER_BRIDGE: Final = "docker0"
_PORT: Final = re.compile(r":([0-9]{1,5})/?$")


def init_redirected(subject: Subject) -> Iterator[Finding]:
    """H27: an init container behind the mesh's, which asks the network before the sidecar runs."""
    system = subject.mesh.system
    later = False
    for path, container in subject.items("initContainers"):
        name = container.get("name")
        if name == system.init_container:
            later = True
        elif later and _user(subject, container) != SIDECAR_UID:
            yield _redirected(subject, f"init container {name}", path, known=name == _VAULT_INIT)
    if _vault_follows(subject):
        key = f"{_VAULT}/agent-inject"
        what = f"annotation {key}: init container {_VAULT_INIT}, which Vault's injector adds,"
        first = f'Write {_VAULT}/agent-init-first: "true", or '
        path = annotation_path(key)
        yield _redirected(subject, what, path, known=True, first=first, verb="may run")


def _redirected(  # the parts of one sentence
    subject: Subject, what: str, path: str, *, known: bool, first: str = "", verb: str = "runs"
) -> Finding:
    system = subject.mesh.system
    return finding(
        "init-redirected",
        f"{what} {verb} after {system.init_container}: what it sends is redirected to a sidecar "
        "that does not run yet",
        path=path,
        severity=Severity.ERROR if known else None,
        fix=f"{first or 'Let it run first, or '}{past_the_sidecar(system)}",
    )


def past_the_sidecar(system: System) -> str:
    """What lets an init container behind the mesh's reach the network, or do without it."""
    hold = system.annotation(keys.HOLD)
    held = f", held with {hold} until the sidecar runs" if hold in keys.pod_keys(system) else ""
    return (
        f"exclude the port that it asks with {system.annotation(OUTBOUND_PORTS.annotation)}, or "
        f"run it as user {SIDECAR_UID}, or do its work in the application{held}."
    )


def _user(subject: Subject, container: Json) -> object:
    for holder in (container, subject.spec):
        context = holder.get("securityContext")
        if type(context) is dict and "runAsUser" in context:
            return context["runAsUser"]
    return None


def _vault_follows(subject: Subject) -> bool:
    """Whether Vault's webhook puts an init container behind the mesh's: its name sorts later."""
    given = subject.annotations
    if subject.mutation is None or subject.mutation.interception is None:
        return False
    if str(given.get(f"{_VAULT}/agent-inject")).lower() != "true":
        return False
    if any(item.get("name") == _VAULT_INIT for _, item in subject.items("initContainers")):
        return False
    address = _PORT.search(str(given.get(f"{_VAULT}/service", "")))
    port = int(address[1]) if address else _VAULT_PORT
    return not (
        str(given.get(f"{_VAULT}/agent-init-first")).lower() == "true"
        or str(given.get(f"{_VAULT}/agent-pre-populate")).lower() == "false"
        or given.get(f"{_VAULT}/agent-run-as-user") == str(SIDECAR_UID)
        or port in subject.mutation.interception.lists.outbound_ports
    )


def never_completes(subject: Subject) -> Iterator[Finding]:
    """H28: a pod that is to end, beside a sidecar that does not."""
    if subject.mutation is None or subject.mutation.spec is None:
        return
    policy = subject.spec.get("restartPolicy")
    job = subject.controller == "Job"
    if not job and policy not in ("Never", "OnFailure"):
        return
    who = "a Job's pod" if job else f"restartPolicy {policy}"
    shared = subject.spec.get("shareProcessNamespace") is True  # it may signal the sidecar
    yield finding(
        "never-completes",
        f"{who}: the sidecar runs on after the application has ended, so the pod never completes",
        path="spec",
        severity=Severity.INFO if shared else None,
        fix=f"{ends_with_its_work(subject.mesh.system)}.",
    )


def ends_with_its_work(system: System) -> str:
    """What lets a pod that is to end do so: a step without the end of its sentence."""
    return (
        f"Write {system.annotation(INJECTION)}: disabled in the pod template, or let the "
        "application end the sidecar's process when its work is done (shareProcessNamespace)"
    )


def injected_later(subject: Subject) -> Iterator[Finding]:
    """H29: probes that another injector adds, or has added, behind this one's rewriting."""
    mutation = subject.mutation
    if mutation is None or mutation.interception is None:
        return
    excluded = mutation.interception.lists.inbound_ports
    key = subject.key(INBOUND_PORTS)
    names = {str(item.get("name")) for _, item in subject.items("containers")}
    asked = str(subject.annotations.get(_DAPR)).lower() == "true"
    if asked and _DAPR_CONTAINER not in names and _DAPR_PROBE_PORT not in excluded:
        yield finding(
            "probe-added-later",
            f"annotation {_DAPR}: the probes of {_DAPR_CONTAINER}, which Dapr's injector adds, "
            f"ask port {_DAPR_PROBE_PORT}; added after this mesh's injector, they are redirected "
            "and not rewritten",
            path=annotation_path(_DAPR),
            fix=f'Exclude the port with {key}: "{_DAPR_PROBE_PORT}".',
        )
    for path, container in subject.items("containers") if subject.carries else ():
        for field, kind, _ in KINDS:
            probe = container.get(field)
            for name in ("httpGet", "tcpSocket"):
                handler = probe.get(name) if type(probe) is dict else None
                port = port_number(handler.get("port")) if type(handler) is dict else 0
                if port and port not in RESERVED_PORTS and port not in excluded:
                    yield finding(
                        "probe-added-later",
                        f"container {container.get('name')}: the {kind} probe asks port {port}, "
                        "which is redirected, and is not rewritten although the pod is injected",
                        path=f"{path}.{field}.{name}.port",
                        value=port,
                        fix=f'Exclude the port with {key}: "{port}".',
                    )


def pod_security(subject: Subject) -> Iterator[Finding]:
    """H30: the namespace's pod security refuses the init container."""
    if subject.mutation is None or subject.mutation.init is None:
        return
    if message := forbidden(subject.namespace, subject.mesh):
        yield finding(
            "pod-security",
            message,
            path=f"namespace {subject.namespace.name} metadata.labels.{ENFORCE}",
            value=subject.namespace.labels[ENFORCE],
        )


def forbidden(namespace: NamespaceView, mesh: MeshView) -> str:
    """Why a namespace's pod security refuses the mesh's init container; empty: it does not."""
    level = namespace.labels.get(ENFORCE)
    if level not in _LEVELS:
        return ""
    privileged = " and privileged" if mesh.privileged else ""
    return (
        f"namespace {namespace.name} enforces pod security {level}, which refuses "
        f"{mesh.system.init_container} (NET_ADMIN{privileged}): no pod is created"
    )


def overwritten(subject: Subject) -> Iterator[Finding]:
    """An annotation that the injector gives another value."""
    mutation = subject.mutation
    if mutation is None or mutation.spec is None:
        return
    after = mutation.metadata.get("annotations")
    for key in METRICS_ANNOTATIONS:
        given = subject.annotations.get(key)
        new = after.get(key) if type(after) is dict else given
        if given is not None and new != given:
            yield finding(
                "annotation-overwritten",
                f"annotation {key}: the injector writes {new!r} over {given!r}: the application's "
                "own metrics are scraped no more",
                path=annotation_path(key),
                value=given,
            )


def docker_in_docker(subject: Subject) -> Iterator[Finding]:
    """A Docker engine inside of the pod, whose containers talk through a bridge."""
    mutation = subject.mutation
    if mutation is None or mutation.interception is None:
        return
    patterns = mutation.interception.lists.interfaces
    if any(_covers(str(pattern), _DOCKER_BRIDGE) for pattern in patterns):
        return
    for name in ("initContainers", "containers"):
        for path, container in subject.items(name):
            if _runs_docker(container):
                yield finding(
                    "docker-in-docker",
                    f"container {container.get('name')} runs a Docker engine: what its containers "
                    f"send enters the pod through {_DOCKER_BRIDGE} and is taken for inbound",
                    path=path,
                    fix=f"Exclude {_DOCKER_BRIDGE} with {INTERFACES.key} of the mesh, or keep the "
                    "pod out of it.",
                )


def _covers(pattern: str, interface: str) -> bool:
    return interface.startswith(pattern[:-1]) if pattern.endswith("+") else interface == pattern


def _runs_docker(container: Json) -> bool:
    image = str(container.get("image", "")).rpartition("/")[2]
    words = [
        word
        for field in ("command", "args")
        for word in (container[field] if type(container.get(field)) is list else ())
    ]
    return "dind" in re.split(r"[:@._-]", image) or any(
        type(word) is str and word.rpartition("/")[2] == "dockerd" for word in words
    )


CHECKS: Final = (
    init_redirected,
    never_completes,
    injected_later,
    pod_security,
    overwritten,
    docker_in_docker,
)
