"""The injector's webhook: there once, as declared, and with a server behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.control_plane import require_installed
from fsm_stack.verify.checks.mesh import drift_finding
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.drift import ABSENT, drifts
from fsm_stack.verify.expected import is_injector, selected_mesh
from fsm_stack.verify.programs.program import start_again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.drift import Drift
    from fsm_stack.yaml import Json

_VERSION_LABEL: Final = "app.kubernetes.io/version"


def name_of(item: Json) -> str:
    """An object's name."""
    return str((item.get("metadata") or {}).get("name"))


def of_mesh(context: Context) -> list[Json]:
    """The webhook configurations that send this mesh's pods to an injector."""
    mesh = context.expected.mesh
    return [
        item
        for item in context.snapshot.mutating
        if selected_mesh(item, context.system) == mesh.name
    ]


def ours(context: Context) -> Json | None:
    """The one that is the injector's own: by its declared name, or as it leads to the injector."""
    wanted = context.expected.webhook
    every = of_mesh(context)
    if wanted:
        return next((item for item in context.snapshot.mutating if name_of(item) == wanted), None)
    place = context.expected.mesh.namespace
    leading = [
        item
        for item in every
        if ((injector_entry(item, context).get("clientConfig") or {}).get("service") or {}).get(
            "namespace"
        )
        == place
    ]
    return min(leading or every, key=lambda item: _unlike(item, context), default=None)


def _unlike(item: Json, context: Context) -> tuple[bool, bool]:
    """How little a configuration looks like the one that the running injector writes.

    By its name, as the charts make it, and by its version, which the injector copies from its own.
    """
    mesh, system = context.expected.mesh, context.system
    program = context.snapshot.programs.get((mesh.namespace, system.injector_name)) or {}
    version = _version(program)
    return (
        name_of(item) != f"{system.default_mesh_name}-webhook-{mesh.name}",
        bool(version) and _version(item) != version,
    )


def _version(item: Json) -> str | None:
    value = ((item.get("metadata") or {}).get("labels") or {}).get(_VERSION_LABEL)
    return str(value) if value else None


def injector_entry(item: Json, context: Context) -> Json:
    """The injector's webhook of a configuration."""
    for webhook in item.get("webhooks") or ():
        if isinstance(webhook, dict) and is_injector(webhook, context.system):
            return webhook
    return {}


def require(context: Context) -> tuple[Json, Json]:
    """The configuration and its webhook.

    Raises:
        NotRun: there is none, which another check says.
    """
    item = ours(context)
    entry = injector_entry(item, context) if item else {}
    if item is None or not entry:
        raise NotRun("there is no webhook of the injector")
    return item, entry


def place(item: Json) -> str:
    """How reports name a configuration."""
    return f"MutatingWebhookConfiguration {name_of(item)}"


def restart(context: Context, program: str = "") -> str:
    """What makes a program of the control plane start, and write its configuration again.

    Args:
        context: which mesh.
        program: empty: the injector.
    """
    return start_again(context, program or context.system.injector_name)


def delete(item: Json) -> str:
    """The command after which new pods start, without a sidecar."""
    return command("kubectl", "delete", "mutatingwebhookconfiguration", name_of(item))


def present(context: Context) -> Iterator[Finding]:
    """New pods of the mesh are sent to the injector."""
    item = ours(context)
    if item is None or not injector_entry(item, context):
        require_installed(context)
        wanted = context.expected.webhook or f"for mesh {context.expected.mesh.name}"
        yield found(
            "cluster-webhook",
            f"no webhook configuration {wanted}: new pods get no sidecar",
            place=f"mesh {context.expected.mesh.name}",
            evidence=", ".join(name_of(one) for one in context.snapshot.mutating) or "none",
            fix=f"The injector writes it when it starts: {restart(context)}",
        )


def strays(context: Context) -> Iterator[Finding]:
    """No second configuration sends the same pods to an injector that may be gone."""
    known = ours(context)
    for item in of_mesh(context):
        if known is not None and name_of(item) == name_of(known):
            continue
        other = _version(item)
        of_version = f" of version {other}" if other and other != _version(known or {}) else ""
        policy = injector_entry(item, context).get("failurePolicy")
        yield found(
            "cluster-webhook-stray",
            f"a second configuration{of_version} for the same mesh, failurePolicy {policy}",
            place=place(item),
            evidence=f"ours is {name_of(known) if known else 'absent'}",
            fix=delete(item) if _is_stray(item, known, context) else _WHICH,
        )


# The name that it writes stands in its arguments, which a snapshot does not hold.
_WHICH: Final = (
    "Delete the one of the two that the injector's --webhook-config-name does not name."
)


def _is_stray(item: Json, known: Json | None, context: Context) -> bool:
    """Whether it is sure which of two configurations is the injector's own."""
    return (
        bool(context.expected.webhook)
        or known is None
        or _unlike(item, context) > _unlike(known, context)
    )


def server(context: Context) -> Iterator[Finding]:
    """The Service behind the webhook exists, has its port, and a ready endpoint."""
    item, entry = require(context)
    service = (entry.get("clientConfig") or {}).get("service") or {}
    key = (str(service.get("namespace")), str(service.get("name")))
    named = "/".join(key)
    there = context.snapshot.services.get(key)
    if there is None:
        yield found("cluster-webhook-service", f"Service {named} is not there",
                    place=place(item), fix=_service_again(context, key))  # fmt: skip
        return
    port = service.get("port") or 443  # Kubernetes' default of a webhook's service
    ports = [one.get("port") for one in (there.get("spec") or {}).get("ports") or ()]
    if port not in ports:
        has = f"it has {', '.join(map(str, ports))}"
        yield found("cluster-webhook-service", f"Service {named} has no port {port}",
                    place=place(item), evidence=has,
                    fix=_service_again(context, key))  # fmt: skip
    ready = [
        endpoint
        for one in context.snapshot.endpoints
        if (one.get("metadata") or {}).get("namespace") == key[0]
        and ((one.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/service-name")
        == key[1]
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    if not ready:
        why = context.trouble(context.system.injector_name)
        yield found(
            "cluster-webhook-service",
            f"Service {named} has no ready endpoint: with failurePolicy "
            f"{entry.get('failurePolicy')} new pods of the mesh wait or are refused",
            place=place(item),
            evidence=f"a consequence: {why.why}" if why else None,
            fix=f"{why.fix if why else restart(context)} ; if no injector can run, new pods start "
            f"without a sidecar after {delete(item)}",
        )


def _service_again(context: Context, key: tuple[str, str]) -> str:
    """What makes the Service: no program does."""
    if context.expected.declared:
        return f"{apply(context, context.snapshot.services.get(key), 'spec.ports')}."
    return f"Create Service {'/'.join(key)} again, as the installation did: no program writes it."


def drift(context: Context) -> Iterator[Finding]:
    """The webhook configuration is as declared, apart from what the injector writes itself."""
    declared = context.expected.objects.get(
        ("MutatingWebhookConfiguration", "", context.expected.webhook)
    )
    if declared is None:
        raise NotApplicable("no webhook configuration is declared")
    item, _ = require(context)
    for one in drifts({"webhooks": declared["webhooks"]}, {"webhooks": item.get("webhooks")}):
        if not _defaulted(one):
            yield from drift_finding(context, "cluster-webhook-drift", item, one, place(item))


# What the API server fills in. Source: Kubernetes, admissionregistration v1 defaults.
_DEFAULTS: Final = {
    "reinvocationPolicy": "Never",
    "scope": "*",
    "matchPolicy": "Equivalent",
    "timeoutSeconds": 10,
}


def _defaulted(one: Drift) -> bool:
    field = one.path.rpartition(".")[2]
    return one.declared is ABSENT and field in _DEFAULTS and one.live == _DEFAULTS[field]


CHECKS: Final = (
    Check(
        id="cluster-webhook",
        title="the injector's webhook is there",
        needs=(Part.MUTATING,),
        run=present,
        group="webhook",
    ),
    Check(
        id="cluster-webhook-stray",
        title="no second webhook takes the same pods",
        needs=(Part.MUTATING,),
        run=strays,
        group="webhook",
    ),
    Check(
        id="cluster-webhook-service",
        title="a ready injector stands behind the webhook",
        needs=(Part.MUTATING, Part.SERVICES, Part.ENDPOINTS),
        run=server,
        group="webhook",
    ),
    Check(
        id="cluster-webhook-drift",
        title="the webhook is as declared",
        needs=(Part.MUTATING,),
        run=drift,
        group="webhook",
    ),
)
