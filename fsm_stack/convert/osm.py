"""MeshConfigs and Helm values of OSM and osm-edge to settings of an FSM stack.

Renamed and lost fields are told one by one. Source: pkg/apis/config/v1alpha2 and charts/osm of
openservicemesh/osm 7bec5b6b and flomesh-io/osm-edge f0c7a18c, compared with FSM's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.chart.control_plane import control_plane_values
from fsm_stack.convert.chart.helm import DEFAULT_VERSION
from fsm_stack.convert.chart.mesh import MESH_VALUES
from fsm_stack.convert.chart.other import OPEN_KEYS, SECRETS, TOGETHER
from fsm_stack.convert.chart.programs import PROGRAM_VALUES, TOGETHER_WITH_OTHERS
from fsm_stack.convert.compared import CREDENTIALS
from fsm_stack.convert.mesh_config import spec_in, take_sections
from fsm_stack.convert.result import Converted, Draft, Line, at, leaves, put
from fsm_stack.errors import FindingsError
from fsm_stack.findings.finding import finding
from fsm_stack.manifests.mesh_config_osm import AUTHORIZATION_DEFAULTS
from fsm_stack.systems import FSM, OSM, OSM_EDGE

if TYPE_CHECKING:
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json

_NO_ENVOY: Final = "FSM's sidecar is Pipy, not Envoy"
_OWN_IMAGES: Final = "FSM's release has images of its own"
_NO_DEBUG: Final = "FSM's controller has no debug server that a setting switches"
# Paths below spec, in any version that OSM and osm-edge have had.
_LOST: Final = {
    "sidecar.envoyImage": _NO_ENVOY,
    "sidecar.envoyWindowsImage": _NO_ENVOY,
    "sidecar.SidecarImageWindowsImage": "FSM has no Windows sidecar",
    "sidecar.sidecarWindowsImage": "FSM has no Windows sidecar",
    "sidecar.initContainerImage": _OWN_IMAGES,
    "sidecar.sidecarImage": _OWN_IMAGES,
    "sidecar.sidecarClass": "FSM has one sidecar, Pipy",
    "sidecar.sidecarDrivers": "FSM has one sidecar, Pipy",
    "observability.enableDebugServer": _NO_DEBUG,
    "featureFlags.enableWASMStats": "FSM's statistics are Pipy's own",
    "featureFlags.enableMeshRootCertificate": "a stack does not declare MeshRootCertificates",
    "featureFlags.enableSPIFFE": "FSM has no SPIFFE identities",
    "featureFlags.enableMulticlusterMode": "FSM's multi-cluster is mesh.enableMultiClusters",
    "featureFlags.enableValidatingWebhook": "FSM's validator is always on",
    "featureFlags.enableOSMGateway": "FSM has gateways of its own",
    "traffic.useHTTPSIngress": "FSM has IngressBackend policies for it",
}
_RENAMED: Final = {
    "observability.osmLogLevel": "observability.fsmLogLevel",
    "featureFlags.enableEnvoyActiveHealthChecks": "featureFlags.enableSidecarActiveHealthChecks",
}
_MODE: Final = "traffic.interceptionMode"
_MODES: Final = {
    "ebpf": (
        "osm-edge redirected with eBPF from the node; FSM's PodLevel, which is taken, redirects "
        "with iptables in the pod; NodeLevel, its own eBPF, reads no list"
    ),
    "none": "osm-edge redirected nothing; FSM redirects every injected pod",
    "": "osm-edge redirected nothing; FSM redirects every injected pod",
}
_GROUP: Final = OSM.mesh_config_group  # of both
_ROOT: Final = OSM.name  # of both charts' values
_REDIRECTS: Final = OSM_EDGE.interception_modes
_AUTHORIZATION: Final = "traffic.inboundExternalAuthorization"


def is_osm(item: Any) -> bool:
    """Whether an object is a MeshConfig of OSM or osm-edge."""
    if not isinstance(item, dict) or item.get("kind") != "MeshConfig":
        return False
    group = str(item.get("apiVersion", "")).partition("/")[0]
    return group == _GROUP


def patched_osm(namespace: str) -> Json:
    """A MeshConfig of OSM or osm-edge of which nothing is known but a patch."""
    about = {"name": OSM.mesh_config_name, "namespace": namespace or None}
    return {"apiVersion": OSM.mesh_config_api_version, "kind": "MeshConfig", "metadata": about,
            "spec": {}}  # fmt: skip


def system_of(spec: Json) -> System:
    """Which of the two a MeshConfig is: osm-edge has fields that OSM does not have."""
    marks = (at(spec, f"{part}.{name}") for part, name in OSM_EDGE.mesh_config_marks)
    return OSM_EDGE if any(mark is not None for mark in marks) else OSM


def convert_osm_mesh_config(
    item: Json, *, today: date, fsm_version: str | None = None, name: str = "MeshConfig"
) -> Converted:
    """Settings of an FSM stack that mean what a MeshConfig of OSM or osm-edge says.

    Raises:
        InputError: its spec is no mapping.
        FindingsError: ``unknown-key`` or ``wrong-type``, each with its path.
    """
    spec = spec_in(item, name=name)
    system = system_of(spec)
    draft = Draft()
    draft.set("fsmVersion", fsm_version or DEFAULT_VERSION)
    kept: Json = {}
    sources: dict[str, str] = {}
    for path, value in leaves(spec):
        source = f"spec.{path}"
        if path in _LOST:
            _lost(source, value, _LOST[path], draft)
        elif path == _MODE:
            _mode(source, value, draft)
        elif f"{path}.".startswith(f"{CREDENTIALS}."):
            _secret(source, value, draft)
        elif value in ("", None, {}) or _not_asked(spec, path, value):
            draft.drop(source, "empty, or a default of a switch that is off")
        else:
            target = _RENAMED.get(path, path)
            if target != path:
                _renamed(source, target, draft)
            put(kept, target, value)
            sources[target] = source
    _driver(spec, kept, sources)
    take_sections(kept, draft, today=today, sources=sources)
    _names(item, system, draft)
    return draft.done(f"{name} of {system.title}")


def _lost(source: str, value: Any, why: str, draft: Draft) -> None:
    off = value in (False, "", None, [])
    found = () if off else (finding("setting-lost", why, path=source, value=value),)
    draft.drop(source, why, *found)


def _renamed(source: str, target: str, draft: Draft) -> None:
    draft.findings.append(finding("setting-renamed", f"it is {target} in FSM", path=source))


def _mode(source: str, value: Any, draft: Draft) -> None:
    if value in _REDIRECTS:
        message = f"{value!r} is {FSM.interception_modes[0]} in FSM, its default"
        draft.drop(source, message, finding("setting-renamed", message, path=source))
    elif isinstance(value, str) and value in _MODES:
        found = finding("setting-means-less", _MODES[value], path=source, value=value)
        draft.drop(source, _MODES[value], found)
    else:
        known = ", ".join(repr(one) for one in (*_REDIRECTS, "ebpf", "none"))
        message = f"expected one of {known}, got {value!r}"
        raise FindingsError((finding("invalid-value", message, path=source, value=value),))


def _secret(source: str, value: Any, draft: Draft) -> None:
    if value in ("", None):
        draft.drop(source, "empty: not set")
        return
    message = "expected no value: no setting takes a secret"
    draft.drop(source, "a secret; no setting takes one", finding(
        "secret-value", message, path=source,
        fix="Put it into a Secret and name that in observability.remoteLogging.secretName.",
    ))  # fmt: skip


def _not_asked(spec: Json, path: str, value: Any) -> bool:
    """Whether a value is what the CRD fills in for an external authorization that is off."""
    section, _, name = path.rpartition(".")
    off = section == _AUTHORIZATION and not at(spec, f"{_AUTHORIZATION}.enable")
    return off and AUTHORIZATION_DEFAULTS.get(name) == value


def _driver(spec: Json, kept: Json, sources: dict[str, str]) -> None:
    """What osm-edge says of its chosen driver: whether sidecars do without mTLS."""
    drivers = at(spec, "sidecar.sidecarDrivers")
    chosen = at(spec, "sidecar.sidecarClass") or OSM_EDGE.sidecar_kind
    for index, driver in enumerate(drivers if isinstance(drivers, list) else ()):
        if isinstance(driver, dict) and driver.get("sidecarName") == chosen:
            disabled = driver.get("sidecarDisabledMTLS")
            if isinstance(disabled, bool):
                put(kept, "sidecar.sidecarDisabledMTLS", disabled)
                sources["sidecar.sidecarDisabledMTLS"] = (
                    f"spec.sidecar.sidecarDrivers[{index}].sidecarDisabledMTLS"
                )


def _names(item: Json, system: System, draft: Draft) -> None:
    """The object's own names: FSM's differ, and its group does."""
    ours = f"{FSM.mesh_config_api_version} {FSM.mesh_config_name} in {FSM.default_namespace}"
    theirs = (
        f"{item.get('apiVersion')} {system.mesh_config_name} in "
        f"{at(item, 'metadata.namespace') or system.default_namespace}"
    )
    draft.drop(
        "metadata",
        f"FSM's MeshConfig is {ours}",
        finding("setting-renamed", f"{theirs} becomes {ours}", path="metadata.name"),
    )


# Below the roots osm: and fsm: of the charts.
_VALUES_RENAMED: Final = {
    "envoyLogLevel": "sidecar.sidecarLogLevel",
    "sidecarLogLevel": "sidecar.sidecarLogLevel",
    "sidecarTimeout": "sidecar.sidecarTimeout",
    "osmNamespace": "fsmNamespace",
    "featureFlags.enableEnvoyActiveHealthChecks": "featureFlags.enableSidecarActiveHealthChecks",
}
_SECTIONS_RENAMED: Final = {"osmController": "fsmController", "osmBootstrap": "fsmBootstrap"}
_VALUES_LOST: Final = {
    "image": _OWN_IMAGES,
    "sidecarImage": _OWN_IMAGES,
    "sidecarWindowsImage": "FSM has no Windows sidecar",
    "curlImage": _OWN_IMAGES,
    "repoServer.image": _OWN_IMAGES,
    "repoServer.standalone": "set components.controller.standaloneRepoServer",
    "sidecarClass": "FSM has one sidecar, Pipy",
    "sidecarDrivers": "FSM has one sidecar, Pipy",
    "osmInterceptor": "FSM has no interceptor: PodLevel needs none",
    "enableDebugServer": _NO_DEBUG,
    "featureFlags.enableWASMStats": "FSM's statistics are Pipy's own",
    "featureFlags.enableSPIFFE": "FSM has no SPIFFE identities",
    "prometheus.image": _OWN_IMAGES,
    "grafana.image": _OWN_IMAGES,
    "grafana.rendererImage": _OWN_IMAGES,
    "tracing.image": _OWN_IMAGES,
    "fluentBit.registry": _OWN_IMAGES,
    "fluentBit.tag": _OWN_IMAGES,
    "validatorWebhook": "its name is FSM's own",
    "pspEnabled": "FSM has no PodSecurityPolicies",
    "controlPlaneTolerations": "set the tolerations of each component",
    "preinstall": "the chart's hook jobs are no objects of a stack",
    "cleanup": "the chart's hook jobs are no objects of a stack",
}
# What osm's charts take where a value is not set, and FSM's chart takes another.
_OTHER_DEFAULTS: Final = {
    "cert-manager": {"certmanager.issuerName": "osm-ca"},
    "vault": {"vault.role": "openservicemesh"},
}
_ROOTS_LOST: Final = {"contour": "FSM has an ingress of its own"}


def fsm_values(values: Json) -> tuple[Json, tuple[Line, ...], tuple[Finding, ...]]:
    """Values of OSM's or osm-edge's chart as values of FSM's.

    Returns:
        The values, what became of those that have another name or none, and the findings.

    Raises:
        FindingsError: ``unknown-key``, each with its path.
    """
    draft = Draft()
    errors: list[Finding] = []
    given: dict[str, Any] = {}
    for root, content in values.items():
        if root == _ROOT and isinstance(content, dict):
            given |= dict(_value_leaves(content))
        elif root == "smi":
            draft.settings[root] = content
        elif root in _ROOTS_LOST:
            _lost(root, content, _ROOTS_LOST[root], draft)
        else:
            message = f"the charts of OSM and osm-edge have no value {root}"
            errors.append(finding("unknown-key", message, path=root))
    known = _known()
    for path, value in given.items():
        errors += _as_fsm(path, value, known, draft)
    if errors:
        raise FindingsError(tuple(errors))
    issuer = str(given.get("certificateProvider.kind"))
    for path, value in _OTHER_DEFAULTS.get(issuer, {}).items():
        if path not in given:
            put(draft.settings, f"fsm.{path}", value)
    return draft.settings, tuple(draft.lines), tuple(draft.findings)


def _as_fsm(path: str, value: Any, known: frozenset[str], draft: Draft) -> tuple[Finding, ...]:
    """One value under FSM's name; what nobody knows is returned as an error."""
    source = f"{OSM.name}.{path}"
    section, dot, rest = path.partition(".")
    target = f"{_SECTIONS_RENAMED.get(section, section)}{dot}{rest}"
    target = _VALUES_RENAMED.get(path, target)
    for lost, why in _VALUES_LOST.items():
        if f"{path}.".startswith(f"{lost}."):
            _lost(source, value, why, draft)
            return ()
    if path == "trafficInterceptionMode":
        _mode(source, value, draft)
    elif target not in known:
        message = f"the charts of OSM and osm-edge have no value {path} that is known"
        return (finding("unknown-key", message, path=source),)
    else:
        if target != path:
            _renamed(source, f"fsm.{target}", draft)
        put(draft.settings, f"fsm.{target}", value)
        draft.lines.append(Line(source=source, why=f"read as fsm.{target}"))
    return ()


def _value_leaves(tree: Json, prefix: str = "") -> list[tuple[str, Any]]:
    """Values by path, down to scalars, lists and the mappings that users fill freely."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and key not in OPEN_KEYS:
            found += _value_leaves(value, f"{path}.")
        else:
            found.append((path, value))
    return found


def _known() -> frozenset[str]:
    """The paths of FSM's chart below ``fsm``."""
    every = (
        control_plane_values(DEFAULT_VERSION),
        MESH_VALUES,
        PROGRAM_VALUES,
        SECRETS,
        TOGETHER,
        TOGETHER_WITH_OTHERS,
    )
    return frozenset(
        path.removeprefix("fsm.") for part in every for path in part if path.startswith("fsm.")
    )
