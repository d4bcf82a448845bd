"""The meshes this package knows: one frozen profile each for FSM, osm-edge and OSM.

Everything that differs between them is a field here, so that no other module asks which system
it serves. Sources: flomesh-io/fsm f1b55bd8, flomesh-io/osm-edge f0c7a18c and
openservicemesh/osm 7bec5b6b: pkg/constants, pkg/injector, pkg/apis/config, the charts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from fsm_stack.errors import InputError

SidecarKind = Literal["pipy", "envoy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainNames:
    """The four chains of a redirection script.

    Attributes:
        inbound: decides what entering traffic is intercepted.
        in_redirect: sends it to the sidecar's inbound listener.
        outbound: decides what leaving traffic is intercepted.
        out_redirect: sends it to the sidecar's outbound listener.
    """

    inbound: str
    in_redirect: str
    outbound: str
    out_redirect: str

    def all(self) -> tuple[str, str, str, str]:
        """The names in the order in which scripts declare them."""
        return (self.inbound, self.in_redirect, self.outbound, self.out_redirect)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What one mesh calls its things.

    Attributes:
        name: ``fsm``, ``osm-edge`` or ``osm``.
        title: the name for people.
        chains: today's chain names.
        document_chains: the names in the older, chained scripts of the documents.
        script_comment: the text of the script's comment line, without ``# ``.
        annotation_prefix: of annotations and labels, without the slash.
        mesh_config_name: the fixed name of the MeshConfig object.
        mesh_config_api_version: the stored version.
        default_namespace: of the control plane.
        default_mesh_name: the value of the monitored-by label.
        injector_name: Deployment and Service of the admission webhook.
        controller_name: Deployment and Service of the control plane.
        bootstrap_name: Deployment of the bootstrap.
        init_container: name of the container that loads the rules.
        sidecar_container: name of the proxy's container.
        healthcheck_container: name of the helper's container.
        proxy_label: pod label that carries the proxy's UUID.
        sidecar_kind: which proxy it is by default.
        init_image: repository of the image that loads the rules, without a tag.
        interception_modes: allowed values of ``traffic.interceptionMode``; empty: no such field.
        init_required_mode: the init container exists only in exactly this mode; None: any.
        init_excluded_mode: no init container in exactly this mode, all lists ignored; None: none.
        has_dns_rule: ``sidecar.localDNSProxy.enable`` adds a UDP rule to the script.
        declares_control_plane: this package declares the whole control plane; of the others it
            declares the MeshConfig and the redirection, their own tools install the rest.
        mesh_config_marks: section and field, of which one is always in the MeshConfig, and which
            no other system with the same name and group of MeshConfig has. Source: the Go types
            in pkg/apis/config/v1alpha2 of osm-edge and OSM.
        has_sidecar_drivers: ``sidecar.sidecarClass`` chooses one of ``sidecar.sidecarDrivers``,
            which brings images and the repository's port. Source: osm-edge's pkg/configurator.
        observability_environment: the sidecar learns of tracing, remote logging and DNS from its
            environment. Source: the Pipy driver of osm-edge.
        newer_pod_fields: the injector decodes pods with k8s.io/api 0.33, not 0.26. Source: go.mod.
        injects_virtual_machines: the webhook takes VirtualMachines beside Pods. Source:
            pkg/injector/webhook.go of FSM.
    """

    name: str
    title: str
    chains: ChainNames
    document_chains: ChainNames
    script_comment: str
    annotation_prefix: str
    mesh_config_name: str
    mesh_config_api_version: str
    default_namespace: str
    default_mesh_name: str
    injector_name: str
    controller_name: str
    bootstrap_name: str
    init_container: str
    sidecar_container: str
    healthcheck_container: str
    proxy_label: str
    sidecar_kind: SidecarKind
    init_image: str
    interception_modes: tuple[str, ...] = ()
    init_required_mode: str | None = None
    init_excluded_mode: str | None = None
    has_dns_rule: bool = False
    declares_control_plane: bool = False
    mesh_config_marks: tuple[tuple[str, str], ...] = ()
    has_sidecar_drivers: bool = False
    observability_environment: bool = False
    newer_pod_fields: bool = False
    injects_virtual_machines: bool = False

    @property
    def monitored_by_label(self) -> str:
        """Namespace label whose value is the mesh that watches the namespace."""
        return f"{self.annotation_prefix}/monitored-by"

    @property
    def ignore_label(self) -> str:
        """Namespace label that keeps the webhook away."""
        return f"{self.annotation_prefix}/ignore"

    @property
    def mesh_config_group(self) -> str:
        """The API group of MeshConfig, without the version."""
        return self.mesh_config_api_version.partition("/")[0]

    def annotation(self, name: str) -> str:
        """The full annotation key: ``flomesh.io/outbound-port-exclusion-list``."""
        return f"{self.annotation_prefix}/{name}"

    def intercepts(self, mode: str) -> bool:
        """Whether a Linux pod gets an init container, and so its lists, in this mode.

        Args:
            mode: ``traffic.interceptionMode`` as written; the comparison is exact upstream too.
        """
        if self.init_required_mode is not None and mode != self.init_required_mode:
            return False
        return self.init_excluded_mode is None or mode != self.init_excluded_mode


# The names of every system's older documents: one `iptables` command per rule.
_DOCUMENT_CHAINS: Final = ChainNames(
    inbound="PROXY_INBOUND",
    in_redirect="PROXY_IN_REDIRECT",
    outbound="PROXY_OUTPUT",
    out_redirect="PROXY_REDIRECT",
)


def _chains(prefix: str) -> ChainNames:
    return ChainNames(
        inbound=f"{prefix}_PROXY_INBOUND",
        in_redirect=f"{prefix}_PROXY_IN_REDIRECT",
        outbound=f"{prefix}_PROXY_OUTBOUND",
        out_redirect=f"{prefix}_PROXY_OUT_REDIRECT",
    )


FSM: Final = System(
    name="fsm",
    title="FSM",
    chains=_chains("FSM"),
    document_chains=_DOCUMENT_CHAINS,
    script_comment="FSM sidecar interception rules",
    annotation_prefix="flomesh.io",
    mesh_config_name="fsm-mesh-config",
    mesh_config_api_version="config.flomesh.io/v1alpha3",
    default_namespace="fsm-system",
    default_mesh_name="fsm",
    injector_name="fsm-injector",
    controller_name="fsm-controller",
    bootstrap_name="fsm-bootstrap",
    init_container="fsm-init",
    sidecar_container="sidecar",
    healthcheck_container="fsm-healthcheck",
    proxy_label="fsm-proxy-uuid",
    sidecar_kind="pipy",
    init_image="flomesh/fsm-sidecar-init",
    interception_modes=("PodLevel", "NodeLevel"),
    init_excluded_mode="NodeLevel",
    declares_control_plane=True,
    newer_pod_fields=True,
    injects_virtual_machines=True,
)

OSM: Final = System(
    name="osm",
    title="OSM",
    chains=_chains("OSM"),
    document_chains=_DOCUMENT_CHAINS,
    script_comment="OSM sidecar interception rules",
    annotation_prefix="openservicemesh.io",
    mesh_config_name="osm-mesh-config",
    mesh_config_api_version="config.openservicemesh.io/v1alpha2",
    default_namespace="osm-system",
    default_mesh_name="osm",
    injector_name="osm-injector",
    controller_name="osm-controller",
    bootstrap_name="osm-bootstrap",
    init_container="osm-init",
    sidecar_container="envoy",
    healthcheck_container="osm-healthcheck",
    proxy_label="osm-proxy-uuid",
    sidecar_kind="envoy",
    init_image="openservicemesh/init",
)

# A fork of OSM: its names, with Pipy in place of Envoy.
OSM_EDGE: Final = replace(
    OSM,
    name="osm-edge",
    title="osm-edge",
    sidecar_container="sidecar",
    sidecar_kind="pipy",
    init_image="flomesh/osm-edge-sidecar-init",
    # pkg/constants also names `ebpf` and `none`; with either no init container is injected.
    interception_modes=("iptables",),
    init_required_mode="iptables",
    has_dns_rule=True,
    mesh_config_marks=(("sidecar", "sidecarClass"), ("traffic", "interceptionMode")),
    has_sidecar_drivers=True,
    observability_environment=True,
)

SYSTEMS: Final[dict[str, System]] = {known.name: known for known in (FSM, OSM_EDGE, OSM)}


def system(name: str) -> System:
    """The profile with this name.

    Raises:
        InputError: when there is none; the message lists the names.
    """
    try:
        return SYSTEMS[name]
    except KeyError:
        known = ", ".join(SYSTEMS)
        raise InputError(f"system {name!r}: expected one of {known}") from None
