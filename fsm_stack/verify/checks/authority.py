"""Whether the API server can trust the control plane's webhooks: an authority, in date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings import Severity
from fsm_stack.verify.certificate import read_bundle
from fsm_stack.verify.check import Check, NotRun, found
from fsm_stack.verify.checks.webhooks import delete, name_of, place, require, restart
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context

Json = dict[str, Any]
_ID: Final = "cluster-webhook-ca"


def authority(context: Context) -> Iterator[Finding]:
    """The API server can trust injector and controller: one authority, in date."""
    yield from _of_validators(context)
    item, entry = require(context)
    bundle = _bundle(entry)
    again = f"{restart(context)} ; for new pods without a sidecar until then: {delete(item)}"
    if problem := _problem(bundle, context):
        refused = (
            ": the API server cannot trust the injector, and every new pod of the mesh is refused"
        )
        yield found(
            _ID,
            f"{problem}{'' if bundle else refused}",
            place=place(item),
            evidence=None if bundle else f"failurePolicy {entry.get('failurePolicy')}",
            fix=again,
        )
    others = {_bundle(webhook) for _, webhook in _validators(context)} - {""}
    if bundle and others and bundle not in others:
        yield found(
            _ID,
            "caBundle is not the authority that the control plane's validating webhook has",
            place=place(item),
            severity=Severity.WARNING,
            fix=again,
        )
    if unread := context.snapshot.unread(Part.VALIDATING):
        raise NotRun(f"whether it is the control plane's authority is unknown: {unread}")


def _of_validators(context: Context) -> Iterator[Finding]:
    again = restart(context, context.system.controller_name)
    for item, webhook in _validators(context):
        if not (problem := _problem(_bundle(webhook), context)):
            continue
        refuses = webhook.get("failurePolicy") != "Ignore"  # Kubernetes' default is Fail
        effect = "every change of a policy is refused" if refuses else "no policy is checked"
        yield found(
            _ID,
            f"{problem}: the API server cannot trust the controller, and {effect}",
            place=f"ValidatingWebhookConfiguration {name_of(item)}",
            evidence=f"failurePolicy {webhook.get('failurePolicy')}",
            fix=f"The controller writes it when it starts: {again}",
            severity=None if refuses else Severity.WARNING,
        )


def _validators(context: Context) -> Iterator[tuple[Json, Json]]:
    """The webhooks of this control plane that check policies, each with its configuration."""
    for item in context.snapshot.validating:
        for webhook in item.get("webhooks") or ():
            if not isinstance(webhook, dict):
                continue
            service = (webhook.get("clientConfig") or {}).get("service") or {}
            named = str(webhook.get("name", ""))
            if service.get("namespace") == context.expected.mesh.namespace and named.startswith(
                f"{context.system.default_mesh_name}-"
            ):
                yield item, webhook


def _bundle(webhook: Json) -> str:
    return str((webhook.get("clientConfig") or {}).get("caBundle") or "")


def _problem(bundle: str, context: Context) -> str:
    """What keeps the API server from trusting by it; empty: nothing."""
    if not bundle:
        return "caBundle is empty"
    try:
        problems = [one.problem(context.now) for one in read_bundle(bundle)]
    except ValueError as error:
        return f"caBundle: {error}"
    return f"caBundle: {problems[0]}" if all(problems) else ""


CHECKS: Final = (
    Check(
        id=_ID,
        title="the webhooks have an authority, in date",
        needs=(Part.MUTATING,),
        run=authority,
        group="webhook",
    ),
)
