"""Whether the webhook sends every new pod of the mesh to the injector.

What the injector's own configuration says is fixed upstream, so no stack is needed to know it.
Source: createOrUpdateMutatingWebhook in pkg/injector/webhook.go of FSM, osm-edge and OSM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, found
from fsm_stack.verify.checks.webhooks import place, require, restart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context

Json = dict[str, Any]

_ID: Final = "cluster-webhook-rules"
_PATH: Final = "/mutate-pod-creation"
# What of a rule must be there for new pods, any of them; source: Kubernetes, rules.Matcher.
_NEW_PODS: Final = {
    "operations": ("CREATE", "*"),
    "apiGroups": ("", "*"),
    "apiVersions": ("v1", "*"),
    "resources": ("pods", "*", "*/*"),
}
_LEAVING_OUT: Final = frozenset({"NotIn", "DoesNotExist"})


def asked(context: Context) -> Iterator[Finding]:
    """The API server asks the injector, and nobody else, about every new pod."""
    item, entry = require(context)
    where, fix = place(item), f"The injector writes it when it starts: {restart(context)}"
    rules = [one for one in entry.get("rules") or () if isinstance(one, dict)]
    if not any(_takes_new_pods(rule) for rule in rules):
        yield found(
            _ID,
            "no rule of it is about new pods (CREATE of v1 pods): they get no sidecar",
            place=where,
            evidence="; ".join(_shown(rule) for rule in rules) or "no rules",
            fix=fix,
        )
    for message in _elsewhere(context, entry.get("clientConfig") or {}):
        yield found(_ID, message, place=where, fix=fix)
    selector = entry.get("objectSelector") or {}
    if wanted := _wanted(selector):
        only = not _leaves_out(selector)
        yield found(
            _ID,
            f"its objectSelector takes {'only ' if only else ''}pods with {wanted}: others get no "
            "sidecar",
            place=where,
            fix=fix,
            severity=None if only else Severity.WARNING,
        )
    for one in entry.get("matchConditions") or ():
        yield found(
            _ID,
            f"its matchCondition {one.get('name')} decides which pods get a sidecar",
            place=where,
            evidence=one.get("expression"),
            fix=fix,
        )


def _takes_new_pods(rule: Mapping[str, Any]) -> bool:
    return rule.get("scope") != "Cluster" and all(
        any(value in values for value in _texts(rule.get(part)))
        for part, values in _NEW_PODS.items()
    )


def _shown(rule: Mapping[str, Any]) -> str:
    parts = (" ".join(_texts(rule.get(part))) or "nothing" for part in _NEW_PODS)
    return " of ".join(parts)


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []


def _elsewhere(context: Context, client: Json) -> Iterator[str]:
    """Where it leads, other than to the injector."""
    if url := client.get("url"):
        yield f"it leads to {url}, not to the injector's Service"
        return
    service = client.get("service") or {}
    if not service:
        yield "it names no Service"
        return
    wanted = f"{context.expected.mesh.namespace}/{context.system.injector_name}"
    has = f"{service.get('namespace')}/{service.get('name')}"
    if has != wanted:
        yield f"it leads to Service {has}, expected {wanted}"
    if service.get("path") != _PATH:
        yield f"its path is {service.get('path') or 'absent'}, the injector answers {_PATH}"


def _wanted(selector: Json) -> str:
    parts = [f"label {key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        values = ", ".join(_texts(one.get("values")))
        parts.append(f"label {one.get('key')} {one.get('operator')} {values}".rstrip())
    return "; ".join(parts)


def _leaves_out(selector: Json) -> bool:
    """Whether it takes every pod that does not carry a label for it."""
    operators = {str(one.get("operator")) for one in selector.get("matchExpressions") or ()}
    return not selector.get("matchLabels") and operators <= _LEAVING_OUT


CHECKS: Final = (
    Check(
        id=_ID,
        title="the webhook sends every new pod to the injector",
        needs=(Part.MUTATING,),
        run=asked,
        group="webhook",
    ),
)
