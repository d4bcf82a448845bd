"""A stack: everything that one ``Pulumi.<stack>.yaml`` sets, annotation profiles among it."""

from typing import Annotated, Final, Literal

from pydantic import Field

from fsm_stack.settings.models.base import DnsLabel, DnsName, Model, matching, section, setting
from fsm_stack.settings.models.components import Images, Verify
from fsm_stack.settings.models.control_plane import CertificateProvider, Cluster, EnrolledNamespace
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.models.policy import Contract, Guard, ProfileName, Sentence
from fsm_stack.settings.models.programs import Components
from fsm_stack.settings.models.values import CidrEntry, Day, PortEntry
from fsm_stack.systems import System, system

Preset = Literal[
    "kubernetes-api",
    "cloud-metadata",
    "cloud-metadata-alibaba",
    "cloud-metadata-oracle-classic",
    "control-plane",
]

# Each cloud's documented link-local or reserved metadata address.
METADATA_RANGES: Final = {
    "cloud-metadata": "169.254.169.254/32",
    "cloud-metadata-alibaba": "100.100.100.200/32",
    "cloud-metadata-oracle-classic": "192.0.0.192/32",
}

# Ports of FSM's services. Source: the chart's Services fsm-controller, fsm-injector,
# fsm-validator and fsm-bootstrap.
CONTROL_PLANE_PORTS: Final = (6060, 9090, 9091, 9093, 9443)


class AnnotationProfile(Model):
    """Pod-scoped redirection settings under a name, merged with the mesh's by the injector."""

    description: str = setting("", "What kind of pod this is for.")
    presets: tuple[Preset, ...] = setting((), "Common exclusions to start from.")
    outbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Outbound ports that bypass the sidecar."
    )
    inbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Inbound ports that bypass the sidecar."
    )
    outbound_ip_range_exclusion_list: tuple[CidrEntry, ...] = setting(
        (), "Outbound ranges that bypass the sidecar.", alias="outboundIPRangeExclusionList"
    )
    outbound_ip_range_inclusion_list: tuple[CidrEntry, ...] = setting(
        (),
        "The only outbound ranges that go through the sidecar.",
        alias="outboundIPRangeInclusionList",
    )


class Accepted(Model):
    """One finding that does not count while this stands."""

    id: Sentence = Field(description="The finding's id, as fsm-stack explain lists it.")
    path: Sentence = Field(
        description="The finding's path, for example traffic.outboundPortExclusionList[0]."
    )
    reason: Sentence = Field(description="Why the risk is taken.")
    owner: Sentence = Field(description="Who answers for it.")
    until: Day | None = setting(None, "The day after which the finding counts again.")


# The chart names its account and cluster role after the Helm release; this is the release name of
# `fsm install` for the default mesh, and of every document. Source: charts/fsm fsm-rbac.yaml.
RELEASE: Final = "fsm"


class Mesh(Model):
    """The mesh's names, and the switches of its control plane."""

    name: DnsLabel | None = setting(None, "The mesh's name; fsm in an FSM stack.")
    namespace: DnsLabel | None = setting(
        None, "The control plane's namespace; fsm-system in an FSM stack."
    )
    create_namespace: bool = setting(
        True, "Declare the control plane's namespace; otherwise it exists."
    )
    trust_domain: DnsName = setting("cluster.local", "The mesh's trust domain.")
    enforce_single_mesh: bool = setting(True, "Refuse a second mesh in the cluster.")
    enable_reconciler: bool = setting(
        False, "Let the control plane restore its CRDs and webhooks when they change."
    )
    enable_multi_clusters: bool = setting(False, "FSM's multi-cluster support.")
    validate_traffic_target: bool = setting(True, "Let the validator check SMI TrafficTargets.")
    webhook_name_prefix: DnsLabel = setting(
        "fsm-webhook", "The mutating webhook configuration is named <prefix>-<mesh name>."
    )
    validator_webhook_name: DnsName | None = setting(
        None, "The validating webhook configuration; fsm-validator-mesh-<mesh name>."
    )
    release_name: DnsLabel = setting(
        RELEASE,
        "The release's name, which the control plane's account and its cluster-wide roles have. A "
        "second mesh of a cluster needs another one.",
    )


class ReleaseAssets(Model):
    """Where the Pipy scripts of the FSM release come from."""

    source: Literal["vendored", "existingConfigMap", "omit"] = setting(
        "vendored",
        "vendored: taken from the release's chart archive by fsm-stack vendor; "
        "existingConfigMap: someone else declares the ConfigMap; omit: left out, the controller "
        "does not start: only with deployment.lookOnly.",
    )
    config_map_name: DnsName = setting(
        "fsm-init-repo-scripts", "The ConfigMap that the controller unpacks."
    )


# Kind/name, or Kind/namespace/name.
ObjectReference = Annotated[
    str,
    matching(
        r"^[A-Z][A-Za-z]+(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?){1,2}$",
        "Kind/name or Kind/namespace/name, as in Deployment/fsm-system/fsm-injector",
        max_length=400,
    ),
]


class Deployment(Model):
    """How ``pulumi up`` and ``fsm-stack render`` treat the objects."""

    look_only: bool = setting(
        False,
        "The stack is there to look at: it may leave out what the control plane needs "
        "to run, and pulumi up does not wait for it.",
    )
    skip_await: bool = setting(
        False, "Do not wait for Deployments to become ready (no controllers run)."
    )
    force_mesh_config: bool = setting(
        False, "Take fields of the MeshConfig back from others, such as kubectl patch."
    )
    adopt: tuple[ObjectReference, ...] = setting(
        (),
        "Objects of an installation that is there already, as fsm-stack adopt lists them: pulumi "
        "up takes them over instead of failing. For that one update.",
    )
    retain_crds: bool = setting(
        True, "Keep CRDs, and so all mesh policies, when the stack is destroyed."
    )
    render_foreign_namespaces: bool = setting(
        False,
        "Render what the stack adds to namespaces of others among its objects, so that Argo CD or "
        "Flux merges it into them; else it lies beside the objects, for their owners.",
    )

    @property
    def awaits(self) -> bool:
        """Whether ``pulumi up`` waits until Deployments are ready."""
        return not (self.skip_await or self.look_only)


class BypassPolicy(Model):
    """What every entry of a redirection list has to say, the mesh's and the profiles'."""

    require_reason: bool = setting(False, "An entry without a reason is an error.")
    require_owner: bool = setting(False, "An entry without an owner is an error.")
    require_until: bool = setting(False, "An entry without an end is an error.")


class StackSettings(MeshSettings):
    """All settings of one environment. Each field is one key ``fsm-stack:<name>`` of its file."""

    system: Literal["fsm", "osm-edge", "osm"] = setting(
        "fsm", "The mesh system; osm-edge and osm give MeshConfig and redirection only."
    )
    fsm_version: Literal["1.5.1", "1.6.0"] = setting(
        "1.5.1", "The FSM release; 1.6.0 is not released upstream."
    )
    mesh: Mesh = section(Mesh, "Names and switches of the mesh.")
    cluster: Cluster = section(Cluster, "The cluster that this stack is meant for.")
    images: Images = section(Images, "Image references.")
    components: Components = section(
        Components, "The control plane's Deployments, and the programs beside them."
    )
    certificate_provider: CertificateProvider = section(
        CertificateProvider, "Who issues the mesh's certificates."
    )
    enrolled_namespaces: tuple[EnrolledNamespace, ...] = setting(
        (), "Namespaces whose new pods join the mesh."
    )
    annotation_profiles: dict[ProfileName, AnnotationProfile] = setting(
        {}, "Named sets of pod-scoped redirection settings."
    )
    bypass_policy: BypassPolicy = section(
        BypassPolicy, "What every entry of a redirection list has to say."
    )
    release_assets: ReleaseAssets = section(ReleaseAssets, "The Pipy scripts of the FSM release.")
    deployment: Deployment = section(
        Deployment, "How pulumi up and fsm-stack render treat the objects."
    )
    verify: Verify = section(Verify, "fsm-stack verify as a CronJob; off unless scheduled.")
    accept: tuple[Accepted, ...] = setting((), "Findings taken on purpose.")
    contracts: tuple[Contract, ...] = setting(
        (), "Traffic that always, or never, goes through the sidecar."
    )
    guard: Guard = section(Guard, "Admission policies that hold in the cluster what is held here.")

    @property
    def profile(self) -> System:
        """The chosen system's constants."""
        return system(self.system)

    @property
    def mesh_name(self) -> str:
        """The mesh's name, the system's default if not set."""
        return self.mesh.name or self.profile.default_mesh_name

    @property
    def namespace(self) -> str:
        """The control plane's namespace, the system's default if not set."""
        return self.mesh.namespace or self.profile.default_namespace

    @property
    def beside_another(self) -> bool:
        """Whether the mesh leaves the cluster-wide objects of fixed names to another one."""
        return self.mesh.release_name != RELEASE

    @property
    def node_level(self) -> bool:
        """Whether programs on the nodes redirect, and no init container does."""
        return self.traffic.interception_mode == "NodeLevel" and (
            self.profile.declares_control_plane
        )

    @property
    def mutating_webhook_name(self) -> str:
        """The name that the injector gives its webhook configuration."""
        return f"{self.mesh.webhook_name_prefix}-{self.mesh_name}"

    @property
    def validating_webhook_name(self) -> str:
        """The name that the controller gives its webhook configuration."""
        return self.mesh.validator_webhook_name or f"fsm-validator-mesh-{self.mesh_name}"
