"""The mesh as an injector sees it: its MeshConfig, its environment, its arguments.

Nothing is checked here: a MeshConfig from a cluster may hold anything that its CRD lets through.
Source: pkg/configurator of FSM and osm-edge, pkg/utils of OSM.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import isfinite, isinf, isnan
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.go_values import equal_fold, lower, stored_quantity
from fsm_stack.injector.profile import injector_profile
from fsm_stack.lists import LISTS, Lists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.profile import InjectorProfile
    from fsm_stack.systems import SidecarKind, System

FSM_REPO_PORT: Final = 6060  # pkg/constants ProxyServerPort of FSM
OSM_EDGE_REPO_PORT: Final = 15128  # pkg/constants ProxyServerPort of osm-edge: no driver matches
DEFAULT_LOG_LEVEL: Final = "error"
_JAEGER_PORT: Final = 9411
_JAEGER_ENDPOINT: Final = "/api/v2/spans"
_DIGITS: Final = "[0-9](?:_?[0-9])*"
_HEX: Final = "[0-9a-f](?:_?[0-9a-f])*"
_FLOAT: Final = re.compile(
    rf"[+-]?(?:(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?|inf(?:inity)?"
    rf"|0x(?:_?{_HEX}\.?(?:{_HEX})?|\.{_HEX})p[+-]?{_DIGITS})|nan",
    re.IGNORECASE | re.ASCII,
)

Resources = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshView:
    """Everything but the pod and its namespace that the injector's answer depends on.

    Attributes:
        system: whose injector.
        name: the mesh's name.
        namespace: the control plane's.
        trust_domain: the mesh's.
        pull_policy: of the init and health-check containers; a flag of the injector.
        interception_mode: ``traffic.interceptionMode`` as written.
        local_proxy_mode: ``sidecar.localProxyMode`` as written.
        dns_proxy: ``sidecar.localDNSProxy.enable``.
        privileged: ``sidecar.enablePrivilegedInitContainer``.
        log_level: of the sidecar.
        sidecar_kind: which proxy; None: osm-edge's injector does not start with this class.
        sidecar_class: the class as osm-edge's MeshConfig or environment names it.
        sidecar_image: after the environment's default; "" is a refusal.
        sidecar_windows_image: the same for Windows.
        init_image: the same for the init container.
        healthcheck_image: "" is left out of the container.
        resources: of the sidecar.
        init_resources: of the init container.
        healthcheck_resources: of the helper.
        hold: ``sidecar.holdApplicationUntilProxyStarts``.
        graceful_exit: ``sidecar.gracefulExitUntilDownstreamEnds``.
        repo_host: where the sidecar fetches its configuration.
        repo_port: and on which port, which is also its admin port.
        codebase: the folder in front of the sidecars'.
        controller_ip: the controller Service's address; None: not found.
        more_environment: of the sidecar: osm-edge's tracing, logging and DNS.
        lists: the mesh-wide ones, as written.
    """

    system: System
    name: str
    namespace: str
    trust_domain: str = "cluster.local"
    pull_policy: str = "IfNotPresent"
    interception_mode: str = ""
    local_proxy_mode: str = ""
    dns_proxy: bool = False
    privileged: bool = False
    log_level: str = DEFAULT_LOG_LEVEL
    sidecar_kind: SidecarKind | None
    sidecar_class: str = ""
    sidecar_image: str = ""
    sidecar_windows_image: str = ""
    init_image: str = ""
    healthcheck_image: str = ""
    resources: Resources
    init_resources: Resources
    healthcheck_resources: Resources
    hold: bool = False
    graceful_exit: bool = False
    repo_host: str = ""
    repo_port: int = FSM_REPO_PORT
    codebase: str = ""
    controller_ip: str | None = None
    more_environment: tuple[tuple[str, str], ...] = ()
    lists: Lists

    @property
    def profile(self) -> InjectorProfile:
        """The injector's own ways."""
        return injector_profile(self.system)


def mesh_view(
    system: System,
    spec: Mapping[str, Any] | None,
    *,
    environment: Mapping[str, str],
    name: str | None = None,
    namespace: str | None = None,
    trust_domain: str = "cluster.local",
    pull_policy: str = "IfNotPresent",
    services: Mapping[str, str] | None = None,
) -> MeshView:
    """The mesh of a MeshConfig.

    Args:
        system: whose injector.
        spec: the MeshConfig's ``spec``; None where there is no MeshConfig: zero values.
        environment: the injector's environment variables.
        name: the mesh's name; the system's default if absent.
        namespace: the control plane's namespace; the system's default if absent.
        trust_domain: the mesh's.
        pull_policy: the injector's flag.
        services: the control plane namespace's Services, name to cluster IP.
    """
    profile = injector_profile(system)
    known = spec or {}
    sidecar, traffic = _section(known, "sidecar"), _section(known, "traffic")
    prefix = profile.environment
    place = namespace or system.default_namespace
    driver = _driver(sidecar) if system.has_sidecar_drivers else {}
    envoy = "ENVOY" if system.sidecar_kind == "envoy" else "SIDECAR"
    class_name = _class(sidecar, environment) if system.has_sidecar_drivers else ""
    own = profile.own_resources
    dns = _section(sidecar, "localDNSProxy")
    init_image = (
        sidecar.get("initContainerImage") or driver.get("initContainerImage") or ""
        if profile.init_image_in_mesh
        else ""
    )
    return MeshView(
        system=system,
        name=name or system.default_mesh_name,
        namespace=place,
        trust_domain=trust_domain,
        pull_policy=pull_policy,
        interception_mode=traffic.get("interceptionMode") or "",
        local_proxy_mode=sidecar.get("localProxyMode") or "",
        dns_proxy=bool(dns.get("enable")) and profile.dns != "none",
        privileged=bool(sidecar.get("enablePrivilegedInitContainer")),
        log_level=sidecar.get("logLevel") or DEFAULT_LOG_LEVEL,
        sidecar_kind=_kind(class_name) if class_name else system.sidecar_kind,
        sidecar_class=class_name,
        sidecar_image=sidecar.get(profile.image_field)
        or driver.get("sidecarImage")
        or environment.get(f"{prefix}_DEFAULT_{envoy}_IMAGE", ""),
        sidecar_windows_image=sidecar.get(profile.windows_image_key)
        or driver.get("sidecarImageWindowsImage")
        or environment.get(f"{prefix}_DEFAULT_{envoy}_WINDOWS_IMAGE", ""),
        init_image=init_image or environment.get(f"{prefix}_DEFAULT_INIT_CONTAINER_IMAGE", ""),
        healthcheck_image=environment.get(f"{prefix}_DEFAULT_HEALTHCHECK_CONTAINER_IMAGE", ""),
        resources=_resources(sidecar.get("resources")),
        init_resources=_resources(sidecar.get("initResources")) if own else {},
        healthcheck_resources=_resources(sidecar.get("healthcheckResources")) if own else {},
        hold=profile.sidecar_options and bool(sidecar.get("holdApplicationUntilProxyStarts")),
        graceful_exit=profile.sidecar_options
        and bool(sidecar.get("gracefulExitUntilDownstreamEnds")),
        repo_host=_repo_host(known, environment, prefix, f"{system.controller_name}.{place}"),
        repo_port=_repo_port(known, driver, system),
        codebase=_codebase(known, environment, prefix),
        controller_ip=(services or {}).get(environment.get("CONTROLLER_SVC_NAME", "")),
        more_environment=_osm_edge_environment(known, dns, place)
        if system.observability_environment
        else (),
        lists=Lists(**{name.field: tuple(traffic.get(name.key) or ()) for name in LISTS}),
    )


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return values.get(name) or {}


def _class(sidecar: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    return sidecar.get("sidecarClass") or environment.get("OSM_DEFAULT_SIDECAR_CLASS") or "pipy"


def _kind(class_name: str) -> SidecarKind | None:
    # As osm-edge registers its drivers: the comparison is exact.
    if class_name == "pipy":
        return "pipy"
    return "envoy" if class_name == "envoy" else None


def _driver(sidecar: Mapping[str, Any]) -> Mapping[str, Any]:
    """osm-edge's driver of the MeshConfig's own class, in any case; the environment's not."""
    wanted = lower(sidecar.get("sidecarClass") or "").casefold()
    for driver in sidecar.get("sidecarDrivers") or ():
        if lower(driver.get("sidecarName") or "").casefold() == wanted:
            return {"": None, **driver}  # never empty: a driver without a port has port 0
    return {}


def _resources(wanted: Mapping[str, Any] | None) -> Resources:
    return {
        kind: {
            name: stored_quantity(str(amount)) or str(amount)
            for name, amount in wanted[kind].items()
        }
        for kind in ("limits", "requests")
        if wanted and wanted.get(kind)
    }


def _repo_host(
    spec: Mapping[str, Any], environment: Mapping[str, str], prefix: str, controller: str
) -> str:
    host = environment.get(f"{prefix}_REPO_SERVER_IPADDR") or _section(spec, "repoServer").get(
        "ipaddr"
    )
    if not host or host.startswith("127.") or equal_fold(lower(host), "localhost"):
        return controller
    return str(host)


def _repo_port(spec: Mapping[str, Any], driver: Mapping[str, Any], system: System) -> int:
    if system.has_sidecar_drivers:
        return int(driver.get("proxyServerPort") or 0) if driver else OSM_EDGE_REPO_PORT
    port = int(_section(spec, "repoServer").get("port") or 0)
    return port if port > 0 else FSM_REPO_PORT


def _codebase(spec: Mapping[str, Any], environment: Mapping[str, str], prefix: str) -> str:
    folder = environment.get(f"{prefix}_REPO_SERVER_CODEBASE") or (
        _section(spec, "repoServer").get("codebase") or ""
    )
    return str(folder).removesuffix("/").removeprefix("/")


def _osm_edge_environment(
    spec: Mapping[str, Any], dns: Mapping[str, Any], namespace: str
) -> tuple[tuple[str, str], ...]:
    """What the sidecar learns of tracing, remote logging and DNS; empty values are left out."""
    observability = _section(spec, "observability")
    tracing, logging = _section(observability, "tracing"), _section(observability, "remoteLogging")
    found: list[tuple[str, str]] = []
    if tracing.get("enable"):
        host = tracing.get("address") or f"jaeger.{namespace}.svc.cluster.local"
        found += [
            ("TRACING_ADDRESS", f"{host}:{_unsigned(tracing.get('port')) or _JAEGER_PORT}"),
            ("TRACING_ENDPOINT", tracing.get("endpoint") or _JAEGER_ENDPOINT),
            ("TRACING_SAMPLED_FRACTION", _fraction(tracing.get("sampledFraction"))),
        ]
    if logging.get("enable"):
        host, port = logging.get("address"), _unsigned(logging.get("port"))
        found.append(("REMOTE_LOGGING_LEVEL", str(logging.get("level") or 0)))
        found.append(("REMOTE_LOGGING_ADDRESS", f"{host}:{port}" if host and port else ""))
        found.append(("REMOTE_LOGGING_ENDPOINT", logging.get("endpoint") or ""))
        found.append(("REMOTE_LOGGING_AUTHORIZATION", logging.get("authorization") or ""))
        found.append(
            ("REMOTE_LOGGING_SAMPLED_FRACTION", _fraction(logging.get("sampledFraction")))
        )
    if dns.get("enable"):
        found += [
            ("LOCAL_DNS_PROXY", "true"),
            ("LOCAL_DNS_PROXY_PRIMARY_UPSTREAM", dns.get("primaryUpstreamDNSServerIPAddr") or ""),
            (
                "LOCAL_DNS_PROXY_SECONDARY_UPSTREAM",
                dns.get("secondaryUpstreamDNSServerIPAddr") or "",
            ),
        ]
    return tuple((name, value) for name, value in found if value)


def _unsigned(port: object) -> int:
    """``uint32(int16)``."""
    return int(port) % 2**32 if isinstance(port, int | float) else 0


def _fraction(text: object) -> str:
    """``%0.2f`` of ``strconv.ParseFloat`` in 32 bits; 1 for text that is none."""
    value = 1.0
    if isinstance(text, str) and _FLOAT.fullmatch(text):
        try:
            plain = text.replace("_", "")
            exact = float.fromhex(plain) if "x" in plain.lower() else float(plain)
            value = struct.unpack("<f", struct.pack("<f", exact))[0]
        except OverflowError:
            value = 1.0
        if isinf(value) and "i" not in text.lower():  # out of range is an error in Go
            value = 1.0
    if isfinite(value):
        return f"{value:.2f}"
    return "NaN" if isnan(value) else f"{'+' if value > 0 else '-'}Inf"
