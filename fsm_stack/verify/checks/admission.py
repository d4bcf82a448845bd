"""What stands before a new pod: what else admission asks for, and whether webhooks are trusted.

What the injector's own configuration says is fixed upstream, so no stack is needed to know it.
Source: createOrUpdateMutatingWebhook in pkg/injector/webhook.go of FSM, osm-edge and OSM.

Only the validity is taken: the structure down to it is fixed. Source: RFC 5280, section 4.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotRun, found
from fsm_stack.verify.checks.webhooks import delete, name_of, place, require, restart
from fsm_stack.verify.programs.program import then

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json


_ADMISSION: Final = "cluster-webhook-rules"
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
            _ADMISSION,
            "no rule of it is about new pods (CREATE of v1 pods): they get no sidecar",
            place=where,
            evidence="; ".join(_shown(rule) for rule in rules) or "no rules",
            fix=fix,
        )
    for message in _elsewhere(context, entry.get("clientConfig") or {}):
        yield found(_ADMISSION, message, place=where, fix=fix)
    selector = entry.get("objectSelector") or {}
    if wanted := _wanted(selector):
        only = not _leaves_out(selector)
        yield found(
            _ADMISSION,
            f"its objectSelector takes {'only ' if only else ''}pods with {wanted}: others get no "
            "sidecar",
            place=where,
            fix=fix,
            severity=None if only else Severity.WARNING,
        )
    for one in entry.get("matchConditions") or ():
        yield found(
            _ADMISSION,
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


_BLOCK: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL
)
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_LONG_FORM: Final = 0x80
_LENGTH_BYTES_MAX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From when to when a certificate counts, both inside."""

    start: datetime
    end: datetime

    def problem(self, now: datetime) -> str:
        """Why it does not count now; empty: it does."""
        if now < self.start:
            return f"not valid before {self.start:%Y-%m-%d %H:%M} UTC"
        return f"expired at {self.end:%Y-%m-%d %H:%M} UTC" if now > self.end else ""


def read_bundle(encoded: str) -> tuple[Validity, ...]:
    """The validity of each certificate of a ``caBundle``.

    Args:
        encoded: base64 of PEM, as webhook configurations carry it.

    Raises:
        ValueError: it is no base64, holds no certificate, or one that cannot be read.
    """
    try:
        pem = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("it is no base64") from None
    blocks = _BLOCK.findall(pem)
    if not blocks:
        raise ValueError("it holds no PEM certificate")
    return tuple(_validity(_der(block)) for block in blocks)


def _der(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split()), validate=True)
    except binascii.Error:
        raise ValueError("a certificate in it is no base64") from None


def _validity(der: bytes) -> Validity:
    try:
        _, certificate, _ = _element(der)
        _, body, _ = _element(certificate)
        tag, _, rest = _element(body)
        if tag == _VERSION:
            _, _, rest = _element(rest)  # the serial number follows
        for _ in range(2):  # signature algorithm, issuer
            _, _, rest = _element(rest)
        tag, validity, _ = _element(rest)
        if tag != _SEQUENCE:
            raise ValueError("a certificate in it has no validity")
        first_tag, first, rest = _element(validity)
        second_tag, second, _ = _element(rest)
        return Validity(start=_time(first_tag, first), end=_time(second_tag, second))
    except IndexError:
        raise ValueError("a certificate in it is cut off") from None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows."""
    tag, length, start = data[0], data[1], 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        if not 0 < count <= _LENGTH_BYTES_MAX:
            raise ValueError("a certificate in it is damaged")
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if start + length > len(data):
        raise IndexError
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:  # years 50 to 99 are 19xx; source: RFC 5280, 4.1.2.5.1
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif tag != _GENERALIZED_TIME:
        raise ValueError("a certificate in it has dates of no known form")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


_ID: Final = "cluster-webhook-ca"
# An issuer such as Vault gives months; FSM's own authority lasts ten years.
_SOON: Final = timedelta(days=30)
_RENEW: Final = (
    "Renew the authority at its issuer, or, where the mesh made it, by deleting its CA's Secret"
)


def authority(context: Context) -> Iterator[Finding]:
    """The API server can trust injector and controller: one authority, in date."""
    yield from _of_validators(context)
    item, entry = require(context)
    bundle = _bundle(entry)
    again = f"{restart(context)} ; for new pods without a sidecar until then: {delete(item)}"
    problem, renew = _problem(bundle, context)
    if problem:
        refused = (
            ": the API server cannot trust the injector, and every new pod of the mesh is refused"
        )
        yield found(
            _ID,
            f"{problem}{'' if bundle else refused}",
            place=place(item),
            evidence=None if bundle else f"failurePolicy {entry.get('failurePolicy')}",
            fix=then(renew, again),
        )
    elif (end := max(one.end for one in read_bundle(bundle))) < context.now + _SOON:
        both = then(restart(context, context.system.controller_name), restart(context))
        yield found(
            _ID,
            f"caBundle expires at {end:%Y-%m-%d %H:%M} UTC: from then on every new pod of the "
            "mesh is refused",
            place=place(item),
            fix=then(f"{_RENEW}, before that day", both),
            severity=Severity.WARNING,
        )
    others = {_bundle(webhook) for _, webhook in _validators(context)} - {""}
    if bundle and others and bundle not in others:
        yield found(
            _ID,
            "caBundle is not the authority that the control plane's validating webhook has: they "
            "share one, so the API server refuses new pods of the mesh, or changes of policies",
            place=place(item),
            fix=f"{restart(context, context.system.controller_name)}, then: {again}",
        )
    if unread := context.snapshot.unread(Part.VALIDATING):
        raise NotRun(f"whether it is the control plane's authority is unknown: {unread}")


def _of_validators(context: Context) -> Iterator[Finding]:
    again = restart(context, context.system.controller_name)
    for item, webhook in _validators(context):
        problem, renew = _problem(_bundle(webhook), context)
        if not problem:
            continue
        refuses = webhook.get("failurePolicy") != "Ignore"  # Kubernetes' default is Fail
        effect = "every change of a policy is refused" if refuses else "no policy is checked"
        yield found(
            _ID,
            f"{problem}: the API server cannot trust the controller, and {effect}",
            place=f"ValidatingWebhookConfiguration {name_of(item)}",
            evidence=f"failurePolicy {webhook.get('failurePolicy')}",
            fix=then(renew, f"The controller writes it when it starts: {again}"),
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


def _problem(bundle: str, context: Context) -> tuple[str, str]:
    """What keeps the API server from trusting by it, empty: nothing; and what renews it first.

    A program writes the authority that it finds when it starts, one that has ended among them.
    Source: flomesh-io/fsm pkg/certificate/castorage/k8s, GetCertificateFromSecret.
    """
    if not bundle:
        return "caBundle is empty", ""
    try:
        known = read_bundle(bundle)
    except ValueError as error:
        return f"caBundle: {error}", ""
    problems = [one.problem(context.now) for one in known]
    if not all(problems):
        return "", ""
    ended = all(one.end < context.now for one in known)
    return f"caBundle: {problems[0]}", _RENEW if ended else ""


CHECKS: Final = (
    Check(
        id=_ID,
        title="the webhooks have an authority, in date",
        needs=(Part.MUTATING,),
        run=authority,
        group="webhook",
    ),
    Check(
        id=_ADMISSION,
        title="the webhook sends every new pod to the injector",
        needs=(Part.MUTATING,),
        run=asked,
        group="webhook",
    ),
)
