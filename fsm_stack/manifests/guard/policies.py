"""The guard: the stack's checks as admission policies, for whoever writes in the cluster.

Bootstrap replaces the CRD of MeshConfig by one without limits, and the injector merges what pods
carry with the mesh's lists: a policy sees both as they will be, and no FSM program writes one.

The policies come before the MeshConfig: a change that takes an entry on purpose, with ``accept``,
has to find the policy that lets it pass.

A MeshConfig that breaks pods is refused also where the API server cannot decide; a pod is not,
because a guard that is wrong must not keep applications from starting.

A policy knows the lists of the mesh, so it holds contracts of verdict ``always`` about TCP that
name no interface. It refuses what surely breaks one. Whether inclusions cover a range only
together, and what breaks a contract ``never``, is proved by ``fsm-stack contracts``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.iptables.sets.ranges import PROTOCOLS, canonical
from fsm_stack.iptables.sets.written import PLACES, written
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    INBOUND_PORTS,
    INCLUDED_RANGES,
    INTERFACES,
    OUTBOUND_PORTS,
    Lists,
)
from fsm_stack.manifests.guard.cel import CIDR_SINCE, Dialect, of_each, of_whole, text, validated
from fsm_stack.manifests.guard.pods import bypass_rules, namespace_rules, pod_rules, pod_variables
from fsm_stack.manifests.guard.rules import (
    mesh_config_rules,
    mesh_config_variables,
    ranges,
    variable,
)
from fsm_stack.manifests.manifest import Manifest, Part, Wave, metadata
from fsm_stack.settings.effective import EVERYWHERE, places_of, register
from fsm_stack.settings.models.traffic import effective_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.iptables.sets.written import Written
    from fsm_stack.lists import ListName
    from fsm_stack.manifests.guard.cel import Validation
    from fsm_stack.settings.models.policy import Contract, GuardAction
    from fsm_stack.settings.models.stack import StackSettings


_API: Final = "admissionregistration.k8s.io/v1"
# Deny and Warn exclude each other; an audited refusal can be counted.
ACTIONS: Final[dict[GuardAction, list[str]]] = {
    "warn": ["Warn", "Audit"],
    "deny": ["Deny", "Audit"],
}
POLICY: Final = "ValidatingAdmissionPolicy"
BINDING: Final = "ValidatingAdmissionPolicyBinding"
_BROKEN: Final = "contract-broken"
_ALL: Final = "0.0.0.0/0"
_LOOPBACK: Final = "127.0.0.0/8"  # a contract does not speak of what stays in the pod


def policy_name(settings: StackSettings, what: str) -> str:
    """The name of a policy and of its binding: ``fsm-guard-pods``."""
    return f"{settings.mesh_name}-guard-{what}"


def guard(settings: StackSettings) -> tuple[Manifest, ...]:
    """The policies that are on, each with its binding."""
    chosen = settings.guard
    found: list[Manifest] = []
    if chosen.mesh_config != "off":
        found += _mesh_config(settings, chosen.mesh_config)
    if chosen.pods != "off":
        found += _pods(settings, chosen.pods)
    if chosen.bypasses != "off":
        found += _bypasses(settings, chosen.bypasses)
    return tuple(found)


def _mesh_config(settings: StackSettings, action: GuardAction) -> list[Manifest]:
    """What is an error for ``validate`` has the chosen action; what is a warning only warns."""
    dialect = Dialect(has_cidr=settings.cluster.kubernetes_minor >= CIDR_SINCE)
    group, _, version = settings.profile.mesh_config_api_version.partition("/")
    constraints = _constraints(group, version, "meshconfigs", ("CREATE", "UPDATE")) | {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.namespace}}
    }
    rules = (*mesh_config_rules(settings, dialect), *contract_rules(settings, dialect))
    # FSM's programs write other sections; a fault of yesterday must not stop them.
    changes = "request.operation == 'CREATE' || object.?spec.?traffic != oldObject.?spec.?traffic"
    name = settings.profile.mesh_config_name
    common = {
        "failurePolicy": "Fail",
        "matchConstraints": constraints,
        "matchConditions": [
            {"name": "the-mesh", "expression": f"object.metadata.name == {text(name)}"},
            {"name": "traffic-changes", "expression": changes},
        ],
        "variables": list(mesh_config_variables(dialect)),
    }
    errors = [one for one in rules if one.severity is Severity.ERROR]
    warnings = [one for one in rules if one.severity is not Severity.ERROR]
    return [
        *_both(settings, "mesh-config", common, errors, action),
        *_both(settings, "mesh-config-warnings", common, warnings, "warn"),
    ]


def _pods(settings: StackSettings, action: GuardAction) -> list[Manifest]:
    system, selector = settings.profile, _monitored(settings)
    spec = _of_pods(settings) | {"variables": list(pod_variables(system))}
    changes = " || ".join(
        f"object.metadata.?{part} != oldObject.metadata.?{part}"
        for part in ("annotations", "labels")
    )
    places = _constraints("", "v1", "namespaces", ("CREATE", "UPDATE"))
    switches = {
        "failurePolicy": "Ignore",
        "matchConstraints": places | {"namespaceSelector": selector},
        "matchConditions": [
            {"name": "keys-change", "expression": f"request.operation == 'CREATE' || {changes}"}
        ],
    }
    return [
        *_both(settings, "pods", spec, pod_rules(system), action),
        *_both(settings, "namespaces", switches, namespace_rules(system), action),
    ]


def _bypasses(settings: StackSettings, action: GuardAction) -> list[Manifest]:
    system = settings.profile
    init = f"c.name == {text(system.init_container)}"
    injected = f"has(object.spec.initContainers) && object.spec.initContainers.exists(c, {init})"
    spec = _of_pods(settings) | {"matchConditions": [{"name": "injected", "expression": injected}]}
    rules = bypass_rules(system, register(settings) or {EVERYWHERE: Lists()})
    return _both(settings, "bypasses", spec, rules, action)


def _of_pods(settings: StackSettings) -> dict[str, Any]:
    """The pods that the injector's webhook takes."""
    constraints = _constraints("", "v1", "pods", ("CREATE",))
    selector = _monitored(settings)
    return {
        "failurePolicy": "Ignore",
        "matchConstraints": constraints | {"namespaceSelector": selector},
    }


def _monitored(settings: StackSettings) -> dict[str, Any]:
    """The namespaces that the injector's webhook selects."""
    system = settings.profile
    return {
        "matchLabels": {system.monitored_by_label: settings.mesh_name},
        "matchExpressions": [
            {"key": system.ignore_label, "operator": "DoesNotExist"},
            {"key": "control-plane", "operator": "DoesNotExist"},
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": [settings.namespace],
            },
        ],
    }


def _constraints(
    group: str, version: str, resource: str, operations: Iterable[str]
) -> dict[str, Any]:
    """What a policy looks at; the API server converts other versions to this one."""
    return {
        "matchPolicy": "Equivalent",
        "objectSelector": {},
        "resourceRules": [
            {
                "apiGroups": [group],
                "apiVersions": [version],
                "operations": list(operations),
                "resources": [resource],
                "scope": "*",
            }
        ],
    }


def _both(
    settings: StackSettings,
    what: str,
    spec: dict[str, Any],
    rules: Iterable[Validation],
    action: GuardAction,
) -> list[Manifest]:
    name = policy_name(settings, what)
    made = validated(rules)
    variables = [*spec.get("variables", ()), *made["variables"]]
    bodies = {
        # An empty list would be a field that the server drops: every apply would be a change.
        POLICY: spec
        | ({"variables": variables} if variables else {})
        | {"validations": made["validations"]},
        BINDING: {"policyName": name, "validationActions": ACTIONS[action]},
    }
    return [
        Manifest(
            object={
                "apiVersion": _API,
                "kind": kind,
                "metadata": metadata(settings, name, namespaced=False),
                "spec": deepcopy(body),
            },
            part=Part.GUARD,
            wave=Wave.CRD,
        )
        for kind, body in bodies.items()
    ]


def contract_rules(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    """The rules of every contract that a policy can hold."""
    mode = effective_mode(settings.traffic.interception_mode, settings.system)
    if mode is not None and not settings.profile.intercepts(mode):
        return  # nobody reads the lists
    known = places_of(settings)
    for contract in settings.contracts:
        agreed = written(contract.traffic)
        tcp = agreed.protocol == "all" or PROTOCOLS.get(agreed.protocol) == PROTOCOLS["tcp"]
        if contract.verdict != "always" or not tcp or agreed.interfaces:
            continue
        if agreed.direction == "inbound":
            yield _ports(contract, agreed, INBOUND_PORTS)
            yield _interfaces(contract)
            continue
        places = [
            one
            for place in agreed.places
            for one in (known.get(place, ()) if place in PLACES else (canonical(place) or place,))
        ]
        if agreed.places and not places:
            continue  # the stack does not say where: `contracts` refuses it
        yield _ports(contract, agreed, OUTBOUND_PORTS)
        yield _interfaces(contract)
        yield _excluded(contract, places or [_ALL], dialect)
        yield _included(contract, places or [_ALL], dialect)


def _says(contract: Contract, entry: str) -> str:
    """The message about an entry, an expression of text."""
    traffic, owner = text(f" breaks the contract '{contract.traffic}' of "), text(contract.owner)
    return f"{entry} + {traffic} + {owner}"


def _of(listed: ListName) -> str:
    return f"spec.traffic.{listed.key}"


def _broken(
    contract: Contract, listed: ListName, wrong: str, what: str = "", entry: str = "v"
) -> Validation:
    """The rule against entries ``v`` of a list; ``what`` and ``entry`` say one in its message."""
    place = _of(listed)
    return of_each(_BROKEN, wrong, place, _says(contract, f"{text(f'{place}: {what}')} + {entry}"))


def _ports(contract: Contract, agreed: Written, listed: ListName) -> Validation:
    inside = " || ".join(f"v >= {first} && v < {end}" for first, end in agreed.ports)
    wrong = f"{variable(listed)}.filter(v, type(v) == int && ({inside}))"
    return _broken(contract, listed, wrong, "port ", "string(v)")


def _interfaces(contract: Contract) -> Validation:
    """Over an excluded interface nothing goes through the sidecar; ``lo`` stays in the pod."""
    wrong = f"{variable(INTERFACES)}.filter(v, type(v) == string && v != 'lo')"
    return _broken(contract, INTERFACES, wrong)


def _excluded(contract: Contract, places: list[str], dialect: Dialect) -> Validation:
    meets = " || ".join(dialect.meets(place) for place in places)
    free = f"!({dialect.within(_LOOPBACK)}) && "
    wrong = f"{ranges(EXCLUDED_RANGES)}.filter(v, {free}({meets}))"
    return _broken(contract, EXCLUDED_RANGES, wrong)


def _included(contract: Contract, places: list[str], dialect: Dialect) -> Validation:
    """An inclusion list that names nothing of an agreed range."""
    entries = ranges(INCLUDED_RANGES)
    missed = " || ".join(f"!{entries}.exists(v, {dialect.meets(place)})" for place in places)
    wrong = f"{entries}.size() > 0 && ({missed})"
    place = _of(INCLUDED_RANGES)
    return of_whole(_BROKEN, wrong, place, _says(contract, text(f"{place}: what it leaves out")))
