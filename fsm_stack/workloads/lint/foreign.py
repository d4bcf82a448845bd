"""Checks of keys that count elsewhere: labels for annotations, the reverse, other meshes' keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector import annotations as keys
from fsm_stack.injector.annotations import namespace_keys, pod_keys
from fsm_stack.well_known import INJECTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.systems import System
    from fsm_stack.workloads.lint.subject import Subject

_PORTS_OUT: Final = "outbound-port-exclusion-list"
_PORTS_IN: Final = "inbound-port-exclusion-list"
_RANGES: Final = "outbound-ip-range-exclusion-list"
_INCLUDED: Final = "outbound-ip-range-inclusion-list"
_REQUESTS, _LIMITS = "sidecar-resource-requests", "sidecar-resource-limits"
# Whose, key, ours without the prefix. Source: each mesh's reference of annotations and labels.
_KEYS: Final = (
    ("Istio", "traffic.sidecar.istio.io/excludeOutboundPorts", _PORTS_OUT),
    ("Istio", "traffic.sidecar.istio.io/excludeInboundPorts", _PORTS_IN),
    ("Istio", "traffic.sidecar.istio.io/excludeOutboundIPRanges", _RANGES),
    ("Istio", "traffic.sidecar.istio.io/includeOutboundIPRanges", _INCLUDED),
    ("Istio", "sidecar.istio.io/inject", INJECTION),
    ("Istio", "istio-injection", INJECTION),
    ("Istio", "istio.io/rev", INJECTION),
    ("Istio", "sidecar.istio.io/proxyImage", ""),  # Envoy's, where ours is Pipy's
    ("Istio", "sidecar.istio.io/proxyCPU", f"{_REQUESTS}-cpu"),
    ("Istio", "sidecar.istio.io/proxyMemory", f"{_REQUESTS}-memory"),
    ("Istio", "sidecar.istio.io/proxyCPULimit", f"{_LIMITS}-cpu"),
    ("Istio", "sidecar.istio.io/proxyMemoryLimit", f"{_LIMITS}-memory"),
    ("Linkerd", "linkerd.io/inject", INJECTION),
    ("Linkerd", "config.linkerd.io/skip-outbound-ports", _PORTS_OUT),
    ("Linkerd", "config.linkerd.io/skip-inbound-ports", _PORTS_IN),
    # Of inbound connections, by their source: linkerd2-proxy-init, addRulesForIgnoredSubnets.
    ("Linkerd", "config.linkerd.io/skip-subnets", ""),
    ("Linkerd", "config.linkerd.io/proxy-await", keys.HOLD),
    ("Linkerd", "config.linkerd.io/proxy-cpu-request", f"{_REQUESTS}-cpu"),
    ("Linkerd", "config.linkerd.io/proxy-memory-request", f"{_REQUESTS}-memory"),
    ("Linkerd", "config.linkerd.io/proxy-cpu-limit", f"{_LIMITS}-cpu"),
    ("Linkerd", "config.linkerd.io/proxy-memory-limit", f"{_LIMITS}-memory"),
    ("Kuma", "kuma.io/sidecar-injection", INJECTION),
    ("Kuma", "traffic.kuma.io/exclude-outbound-ports", _PORTS_OUT),
    ("Kuma", "traffic.kuma.io/exclude-inbound-ports", _PORTS_IN),
    ("Kuma", "traffic.kuma.io/exclude-outbound-ips", _RANGES),
    ("Consul", "consul.hashicorp.com/connect-inject", INJECTION),
    ("Consul", "consul.hashicorp.com/transparent-proxy-exclude-outbound-ports", _PORTS_OUT),
    ("Consul", "consul.hashicorp.com/transparent-proxy-exclude-inbound-ports", _PORTS_IN),
    ("Consul", "consul.hashicorp.com/transparent-proxy-exclude-outbound-cidrs", _RANGES),
)
# Under which domains each mesh has its keys, also those that have no equivalent here.
DOMAINS: Final = {
    "istio.io": "Istio",
    "linkerd.io": "Linkerd",
    "kuma.io": "Kuma",
    "consul.hashicorp.com": "Consul",
}
# Of each key whose it is, and our annotation without the prefix; empty: there is none.
MESHES: Final = {key: (mesh, ours) for mesh, key, ours in _KEYS}


def of_pod(subject: Subject) -> Iterator[Finding]:
    """A pod's labels and annotations that nobody reads there."""
    system = subject.mesh.system
    yield from labels(subject.metadata, system, read=pod_keys(system))
    yield from other_meshes(subject.metadata, system, read=pod_keys(system))


def of_namespace(metadata: Mapping[str, Any], system: System) -> Iterator[Finding]:
    """The same of a Namespace."""
    read = namespace_keys(system)
    yield from labels(metadata, system, read=read)
    yield from other_meshes(metadata, system, read=read)
    for key in (system.monitored_by_label, system.ignore_label):
        if key in _texts(metadata, "annotations") and key not in _texts(metadata, "labels"):
            yield finding(
                "label-as-annotation",
                f"annotation {key}: the webhook asks for the label of this name",
                path=f"metadata.annotations.{key}",
                value=key,
                fix="Move it to metadata.labels.",
            )


def labels(
    metadata: Mapping[str, Any], system: System, *, read: frozenset[str], to: str = ""
) -> Iterator[Finding]:
    """Annotations of the mesh's among the labels.

    Args:
        metadata: of a pod, a Namespace or what makes pods.
        system: whose keys.
        read: those that are read as annotations.
        to: where the pod's annotations are, for an object that makes pods.
    """
    annotations = _texts(metadata, "annotations")
    for key, value in _texts(metadata, "labels").items():
        if key in read and annotations.get(key) != value:
            yield finding(
                "annotation-as-label",
                f"label {key}: {system.title}'s injector reads it among the annotations only",
                path=f"metadata.labels.{key}",
                value=key,
                fix=f"Move it to {to or 'metadata.annotations'}.",
            )


def other_meshes(
    metadata: Mapping[str, Any], system: System, *, read: frozenset[str]
) -> Iterator[Finding]:
    """Keys of meshes that are none of FSM's family, with this mesh's equivalent."""
    annotations = _texts(metadata, "annotations")
    for part in ("labels", "annotations"):
        for key in _texts(metadata, part):
            mesh, name = MESHES.get(key) or (domain_of(key), "")
            ours = system.annotation(name)
            if not mesh or ours in annotations:  # said in both languages
                continue
            known = ours in read
            yield finding(
                "foreign-mesh-key",
                f"{part.removesuffix('s')} {key} is {mesh}'s and has no effect in this mesh"
                + (f"; here it is the annotation {ours}" if known else ""),
                path=f"metadata.{part}.{key}",
                value=key,
                fix=f"Write the annotation {ours}." if known else "Remove it.",
                severity=None if key in MESHES else Severity.INFO,
            )


def domain_of(key: str, domains: Mapping[str, str] = DOMAINS) -> str:
    """The mesh under whose domain a key stands; empty: none of these."""
    domain, slash, _ = key.partition("/")
    whose = (mesh for known, mesh in domains.items() if f".{domain}".endswith(f".{known}"))
    return next(whose, "") if slash else ""


def _texts(metadata: Mapping[str, Any], part: str) -> dict[str, Any]:
    found = metadata.get(part)
    return {k: v for k, v in found.items() if isinstance(k, str)} if type(found) is dict else {}


CHECKS: Final = (of_pod,)
