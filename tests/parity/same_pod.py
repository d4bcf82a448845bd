"""Whether two pods are one: by what they mean once Go's types have decoded them.

An injector encodes the pod again, so it drops a field that is empty where its type says
``omitempty``, and adds one that is empty where it does not. A pointer is no such field: there
empty and absent are two values. Source: k8s.io/api core/v1 (types.go) and k8s.io/apimachinery
(ObjectMeta), the json tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.go_values import stored_quantity
from fsm_stack.injector.pod import METADATA_FIELDS, container_fields, spec_fields

if TYPE_CHECKING:
    from fsm_stack.systems import System

Json = dict[str, Any]

# The texts, switches, lists and maps of each type that are no pointers and have ``omitempty``.
_METADATA: Final = frozenset(
    """
    annotations finalizers generateName labels managedFields name namespace ownerReferences
    resourceVersion selfLink uid
    """.split()  # noqa: SIM905  # forty quoted names are harder to read
)
_SPEC: Final = frozenset(
    """
    dnsPolicy ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostname imagePullSecrets
    initContainers nodeName nodeSelector overhead priorityClassName readinessGates resourceClaims
    restartPolicy schedulerName schedulingGates serviceAccount serviceAccountName subdomain
    tolerations topologySpreadConstraints volumes
    """.split()  # noqa: SIM905
)
_CONTAINER: Final = frozenset(
    """
    args command env envFrom image imagePullPolicy ports resizePolicy resources stdin stdinOnce
    terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir
    """.split()  # noqa: SIM905
)
_IN_LISTS: Final = {
    "ports": frozenset({"name", "protocol", "hostIP"}),
    "env": frozenset({"value"}),
    "volumeMounts": frozenset({"readOnly", "subPath", "subPathExpr"}),
}
_HANDLERS: Final = {
    "httpGet": frozenset({"path", "host", "scheme", "httpHeaders"}),
    "tcpSocket": frozenset({"host"}),
    "exec": frozenset({"command"}),
}
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS: Final = ("postStart", "preStop")
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_KEPT_ZERO: Final = {"runAsUser"}  # a pointer: 0 is a value


def meaning(pod: Json, known: System) -> Json:
    """A pod without what encoding it through Kubernetes' types adds, drops or rewrites."""
    pod = _compact(pod)
    pod.pop("status", None)
    if pod.get("kind", "Pod") != "Pod":
        return pod
    about = {k: v for k, v in pod.get("metadata", {}).items() if k in METADATA_FIELDS}
    spec = {k: v for k, v in pod.get("spec", {}).items() if k in spec_fields(known)}
    pod["metadata"], pod["spec"] = _filled(about, _METADATA), _filled(spec, _SPEC)
    for name in _CONTAINERS:
        if name in pod["spec"]:
            pod["spec"][name] = [_container(one, known) for one in pod["spec"][name]]
    return pod


def _container(container: Json, known: System) -> Json:
    kept = {k: v for k, v in container.items() if k in container_fields(known)}
    for kind, amounts in kept.get("resources", {}).items():
        kept["resources"][kind] = {k: stored_quantity(str(v)) for k, v in amounts.items()}
    for name, fields in _IN_LISTS.items():
        if name in kept:
            kept[name] = [_filled(one, fields) for one in kept[name]]
    handled = [kept[name] for name in _PROBES if name in kept]
    handled += [hook for name, hook in kept.get("lifecycle", {}).items() if name in _HOOKS]
    for one in handled:
        for name, fields in _HANDLERS.items():
            if name in one:
                one[name] = _filled(one[name], fields)
    return _filled(kept, _CONTAINER)


def _filled(fields: Json, empty_is_absent: frozenset[str]) -> Json:
    return {key: item for key, item in fields.items() if item or key not in empty_is_absent}


def _compact(value: Any) -> Any:
    """Without null fields and zero numbers."""
    if isinstance(value, dict):
        return {
            key: _compact(item)
            for key, item in value.items()
            if item is not None and (item != 0 or isinstance(item, bool) or key in _KEPT_ZERO)
        }
    if isinstance(value, list):
        return [_compact(item) for item in value]
    return value
