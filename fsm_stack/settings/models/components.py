"""The programs of the control plane, and the images that it runs."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from fsm_stack.settings.models import base
from fsm_stack.settings.models.base import (
    DOMAIN,
    LABEL_KEY,
    LABEL_NAME,
    NAME_MAX,
    DnsName,
    Model,
    Positive,
    Quantity,
    is_label_key,
    refusal,
    section,
    setting,
)
from fsm_stack.settings.models.values import Port
from fsm_stack.units import cron_problem

# FSM release -> the Pipy version that its chart names.
# Source: flomesh-io/fsm charts/fsm/values.yaml at v1.5.1 and 1.6.0.
PIPY_VERSIONS: Final = {"1.5.1": "1.5.12", "1.6.0": "1.5.14"}
# Upstream has a branch of this version, and no tag, chart archive or images (2026-11).
UNRELEASED: Final = frozenset({"1.6.0"})

Registry = Annotated[str, StringConstraints(pattern=base.REGISTRY, max_length=200)]
ImageName = Annotated[str, StringConstraints(pattern=base.IMAGE_NAME, max_length=128)]
Tag = Annotated[str, StringConstraints(pattern=base.TAG)]
Digest = Annotated[str, StringConstraints(pattern=base.DIGEST)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]


class Image(Model):
    """Where one image differs from the stack's registry, name and tag."""

    registry: Registry | None = setting(None, "The registry and path in front of the name.")
    name: ImageName | None = setting(None, "The image's name in the registry.")
    tag: Tag | None = setting(None, "The tag; kept beside a digest for readers.")
    digest: Digest | None = setting(None, "sha256:…; it wins over the tag.")


class PullSecret(Model):
    """A reference to an image pull Secret in the control plane's namespace."""

    name: DnsName = Field(description="The Secret's name.")


class Images(Model):
    """The images of the control plane and of what it injects."""

    registry: Registry = setting("flomesh", "Registry of FSM's and Pipy's images not set below.")
    tag: Tag | None = setting(None, "Tag of FSM's own images; the FSM version if absent.")
    pull_policy: PullPolicy = setting("IfNotPresent", "imagePullPolicy of every image.")
    pull_secrets: tuple[PullSecret, ...] = setting(
        (),
        "Secrets that pull the control plane's images. An injected container is "
        "pulled by the Secrets of its own pod.",
    )
    bootstrap: Image = section(Image, "fsm-bootstrap.")
    controller: Image = section(Image, "fsm-controller.")
    injector: Image = section(Image, "fsm-injector, the webhook's server.")
    sidecar_init: Image = section(Image, "fsm-sidecar-init, runs the init script.")
    healthcheck: Image = section(Image, "fsm-healthcheck, the TCP probe helper.")
    crds: Image = section(Image, "fsm-crds.")
    preinstall: Image = section(Image, "fsm-preinstall.")
    curl: Image = section(Image, "fsm-curl, waits for fsm-bootstrap.")
    connector: Image = section(Image, "fsm-connector.")
    gateway: Image = section(Image, "fsm-gateway.")
    ingress: Image = section(Image, "fsm-ingress.")
    xnetmgmt: Image = section(Image, "fsm-xnetmgmt.")
    pipy: Image = section(Image, "The Pipy sidecar.")
    pipy_repo: Image = section(Image, "The Pipy repository server.")
    xnet: Image = section(Image, "NodeLevel's engine; upstream gives it no version.")
    prometheus: Image = section(Image, "Prometheus.")
    grafana: Image = section(Image, "Grafana.")
    grafana_renderer: Image = section(Image, "Grafana's image renderer.")
    jaeger: Image = section(Image, "Jaeger.")
    fluent_bit: Image = section(Image, "Fluent Bit.")


# Field of Images -> (key in MeshConfig's image section, the image's name).
# Source: flomesh-io/fsm charts/fsm/values.yaml, fsm.image.name.
FSM_IMAGES: Final = {
    "bootstrap": ("fsmBootstrap", "fsm-bootstrap"),
    "crds": ("fsmCRDs", "fsm-crds"),
    "connector": ("fsmConnector", "fsm-connector"),
    "controller": ("fsmController", "fsm-controller"),
    "curl": ("fsmCurl", "fsm-curl"),
    "gateway": ("fsmGateway", "fsm-gateway"),
    "healthcheck": ("fsmHealthcheck", "fsm-healthcheck"),
    "ingress": ("fsmIngress", "fsm-ingress"),
    "injector": ("fsmInjector", "fsm-injector"),
    "preinstall": ("fsmPreinstall", "fsm-preinstall"),
    "sidecar_init": ("fsmSidecarInit", "fsm-sidecar-init"),
    "xnetmgmt": ("fsmXnetmgmt", "fsm-xnetmgmt"),
}
_PIPY_IMAGES: Final = {"pipy": "pipy", "pipy_repo": "pipy-repo"}
# Images of others that the chart pins by itself: field -> registry, name, tag.
# Source: flomesh-io/fsm charts/fsm/values.yaml.
OTHER_IMAGES: Final = {
    "xnet": ("flomesh", "xnet", "latest"),
    "prometheus": ("prom", "prometheus", "v2.34.0"),
    "grafana": ("grafana", "grafana", "8.2.2"),
    "grafana_renderer": ("grafana", "grafana-image-renderer", "3.2.1"),
    "jaeger": ("jaegertracing", "all-in-one", "latest"),
    "fluent_bit": ("fluent", "fluent-bit", "1.6.4"),
}


def image_tag(images: Images, fsm_version: str, field: str) -> str:
    """The tag of one image: its own, then the stack's, then the release's."""
    own: Image = getattr(images, field)
    if field in OTHER_IMAGES:
        return own.tag or OTHER_IMAGES[field][2]
    if field in _PIPY_IMAGES:
        return own.tag or PIPY_VERSIONS[fsm_version]
    return own.tag or images.tag or fsm_version


def image_name(images: Images, field: str) -> str:
    """The name of one image, without registry and tag."""
    own: Image = getattr(images, field)
    if field in OTHER_IMAGES:
        return own.name or OTHER_IMAGES[field][1]
    return own.name or (_PIPY_IMAGES.get(field) or FSM_IMAGES[field][1])


def _image_registry(images: Images, field: str) -> str:
    own: Image = getattr(images, field)
    usual = OTHER_IMAGES[field][0] if field in OTHER_IMAGES else images.registry
    return own.registry or usual


def image_reference(images: Images, fsm_version: str, field: str) -> str:
    """The full reference of one image, for example ``flomesh/pipy:1.5.12``.

    Args:
        images: the stack's image settings.
        fsm_version: the release, a key of :data:`PIPY_VERSIONS`.
        field: the image's field name in :class:`Images`, for example ``sidecar_init``.

    Returns:
        ``registry/name:tag``, or ``registry/name:tag@sha256:…`` where a digest is set: container
        runtimes resolve the digest then, and people still read the tag.
    """
    own: Image = getattr(images, field)
    tag = image_tag(images, fsm_version, field)
    reference = f"{_image_registry(images, field)}/{image_name(images, field)}:{tag}"
    return f"{reference}@{own.digest}" if own.digest else reference


# Source: k8s.io/kubernetes pkg/apis/core/helper, IsExtendedResourceName.
EXTENDED_RESOURCE: Final = rf"^{DOMAIN}/{LABEL_NAME}$"


def _label_key(text: str) -> str:
    if not is_label_key(text):
        message = f"expected at most {NAME_MAX} characters in front of the /, got {text!r}"
        raise refusal("invalid-value", message)
    return text


LabelKey = Annotated[
    str, StringConstraints(pattern=LABEL_KEY, max_length=317), AfterValidator(_label_key)
]
# Source: k8s.io/apimachinery pkg/util/validation, IsValidLabelValue.
LABEL_VALUE: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
LabelValue = Annotated[
    str,
    base.matching(
        LABEL_VALUE,
        "a label's value: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at "
        "both ends",
    ),
]
Percent = Annotated[int, Field(ge=1, le=100)]


class Resources(Model):
    """Requests and limits of one container."""

    limits: dict[str, Quantity] = setting({}, "Upper bounds, for example cpu and memory.")
    requests: dict[str, Quantity] = setting({}, "What the scheduler reserves.")


class Toleration(Model):
    """A Kubernetes toleration."""

    key: str | None = setting(None, "The taint's key.")
    operator: Literal["Exists", "Equal"] | None = setting(None, "How key and value match.")
    value: str | None = setting(None, "The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = setting(
        None, "The taint's effect."
    )
    toleration_seconds: int | None = setting(None, "How long NoExecute is tolerated.")


class Autoscaling(Model):
    """A HorizontalPodAutoscaler; replicas are then the autoscaler's."""

    enabled: bool = setting(False, "Whether an autoscaler is declared.")
    min_replicas: Positive = setting(1, "Lower bound.")
    max_replicas: Positive = setting(5, "Upper bound.")
    cpu_utilization: Percent = setting(80, "Average CPU use to hold, in percent.")
    memory_utilization: Percent = setting(80, "Average memory use to hold, in percent.")


def usual_resources(
    containers: str, cpu: str, memory: str, cpu_request: str, memory_request: str
) -> Any:  # noqa: ANN401  # as pydantic's Field
    """The resources of containers: their limits and requests where none are set."""
    usual = Resources.model_construct(
        limits={"cpu": cpu, "memory": memory},
        requests={"cpu": cpu_request, "memory": memory_request},
    )
    described = f"Resources of {containers}; they replace the default as a whole."
    return Field(default_factory=lambda: usual, description=described)


class Placed(Model):
    """Where the pods of a program may run."""

    node_selector: dict[LabelKey, LabelValue] = setting({}, "Labels a node must have.")
    tolerations: tuple[Toleration, ...] = setting((), "Taints that its pods tolerate.")
    affinity: dict[str, Any] | None = setting(
        None,
        "A Kubernetes affinity in place of the default: Linux on the architectures of the "
        "program's image, pods of FSM's own programs spread over nodes.",
    )


class Component(Placed):
    """What bootstrap, controller and injector have in common."""

    replicas: Positive = setting(1, "Pods of the Deployment, unless it is autoscaled.")
    resources: Resources = section(
        Resources, "Resources of the main container; they replace the default as a whole."
    )
    pod_labels: dict[LabelKey, LabelValue] = setting({}, "More labels for its pods.")
    priority_class_name: DnsName = setting("system-node-critical", "Priority class of its pods.")


class Bootstrap(Component):
    """fsm-bootstrap: installs CRDs, converts them."""

    resources: Resources = usual_resources("the main container", "0.5", "512M", "0.3", "128M")


class Controller(Component):
    """fsm-controller and its Pipy repository."""

    resources: Resources = usual_resources("the main container", "2", "2G", "0.5", "256M")
    init_resources: Resources = usual_resources("init containers", "500m", "512M", "200m", "128M")
    repo_resources: Resources = usual_resources("the Pipy repository", "2", "2G", "0.5", "256M")
    standalone_repo_server: bool = setting(
        False, "The Pipy repository runs elsewhere, at repoServer.ipaddr: none in the pod."
    )
    pod_disruption_budget: bool = setting(False, "Keep at least one pod in a drain.")
    autoscaling: Autoscaling = section(Autoscaling, "A HorizontalPodAutoscaler.")


class Injector(Component):
    """fsm-injector, the server of the mutating webhook."""

    resources: Resources = usual_resources("the main container", "1", "512M", "0.5", "128M")
    init_resources: Resources = usual_resources("init containers", "500m", "512M", "200m", "128M")
    pod_disruption_budget: bool = setting(False, "Keep at least one pod in a drain.")
    autoscaling: Autoscaling = section(Autoscaling, "A HorizontalPodAutoscaler.")
    webhook_timeout_seconds: Annotated[int, Field(ge=1, le=30)] = setting(
        20, "How long the API server waits for the webhook, 1 to 30 seconds."
    )


def _schedule(text: str) -> str:
    if (problem := cron_problem(text)) is not None:
        raise base.refusal("invalid-value", f"{problem}, got {text!r}")
    return text


Schedule = Annotated[
    str, StringConstraints(pattern=base.SCHEDULE, max_length=120), AfterValidator(_schedule)
]
ImageReference = Annotated[str, StringConstraints(pattern=base.IMAGE_REFERENCE, max_length=500)]


class Verify(Model):
    """``fsm-stack verify`` as a CronJob beside the control plane; it only reads."""

    schedule: Schedule | None = setting(
        None, 'When it runs, as cron writes it ("*/15 * * * *"); there is none if absent.'
    )
    image: ImageReference | None = setting(
        None, "The image of fsm-stack, whole: registry, name, and a tag or a digest."
    )
    fail_on: Literal["error", "warning", "info"] = setting(
        "error", "Findings of this severity and above make the Job fail."
    )
    metrics_port: Port | None = setting(
        None, "Each Job waits here until its metrics were scraped once."
    )
    resources: Resources = usual_resources("the container", "1", "512Mi", "100m", "128Mi")
