"""The programs of a stack: the control plane's three, and those that it may run beside them.

What the beside-programs are to the mesh stands in MeshConfig's sections (``ingress``,
``egressGateway``, ``observability``); here stands how they run. Keys are those of FSM's chart.
Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from fsm_stack.settings.models.base import (
    DnsLabel,
    DnsName,
    Model,
    Positive,
    matching,
    section,
    setting,
)
from fsm_stack.settings.models.components import (
    Bootstrap,
    Controller,
    Injector,
    LabelKey,
    LabelValue,
    Placed,
    PullPolicy,
    Resources,
    usual_resources,
)
from fsm_stack.settings.models.control_plane import SecretKeyReference
from fsm_stack.settings.models.node_level import Xnetwork
from fsm_stack.settings.models.values import Port

Annotations = dict[LabelKey, str]


class EnvironmentVariable(Model):
    """One variable of a container."""

    name: Annotated[
        str,
        matching(
            r"^[-._A-Za-z][-._A-Za-z0-9]*$",
            "a variable's name: letters, digits, '-', '_' and '.', with no digit first",
        ),
    ] = Field(description="The variable's name.")
    value: str | None = setting(None, "Its value.")
    value_from: dict[str, Any] | None = setting(
        None, "Where Kubernetes takes the value from, such as secretKeyRef."
    )


_RELEASE_MODE: Final = (EnvironmentVariable.model_construct(name="GIN_MODE", value="release"),)
_NO_ONE: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_NO_PRIVILEGE: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


class IngressProgram(Placed):
    """fsm-ingress, where ``ingress.enabled`` asks for it."""

    replicas: Positive = setting(1, "Pods of the Deployment.")
    service_name: DnsLabel = setting("fsm-ingress", "Name of its Service.")
    service_annotations: Annotations = setting({}, "Annotations of its Service.")
    resources: Resources = usual_resources("the main container", "2", "1G", "0.5", "128M")
    init_resources: Resources = usual_resources("init containers", "500m", "512M", "200m", "128M")
    env: tuple[EnvironmentVariable, ...] = setting(
        _RELEASE_MODE, "Variables of its container, after the program's own."
    )
    pod_labels: dict[LabelKey, LabelValue] = setting({}, "More labels for its pods.")
    pod_annotations: Annotations = setting({}, "Annotations of its pods.")
    pod_security_context: dict[str, Any] = setting(_NO_ONE, "Security context of its pods.")
    security_context: dict[str, Any] = setting(
        _NO_PRIVILEGE, "Security context of its containers."
    )


class EgressGatewayProgram(Model):
    """The egress gateway, where ``egressGateway.enabled`` asks for it."""

    name: DnsLabel = setting("fsm-egress-gateway", "Name of its Deployment.")
    resources: Resources = usual_resources("its container", "1000m", "512M", "300m", "128M")
    pod_labels: dict[LabelKey, LabelValue] = setting({}, "More labels for its pods.")
    pod_annotations: Annotations = setting({}, "More annotations of its pods.")


class Prometheus(Placed):
    """Prometheus beside the control plane."""

    enabled: bool = setting(False, "Run Prometheus beside the control plane.")
    port: Port = setting(7070, "Its port.")
    retention: Annotated[
        str,
        matching(
            r"^([0-9]+(ms|[smhdwy]))+$",
            "a time as Prometheus writes it, such as 15d",
            max_length=64,
        ),
    ] = setting("15d", "How long it keeps samples.")
    resources: Resources = usual_resources("its container", "1", "2G", "0.5", "512M")


class Grafana(Placed):
    """Grafana with FSM's dashboards, which are a release asset."""

    enabled: bool = setting(False, "Run Grafana with FSM's dashboards.")
    port: Port = setting(3000, "Its port.")
    remote_rendering: bool = setting(False, "Run Grafana's image renderer beside it.")


class Jaeger(Placed):
    """Jaeger in one pod, without storage of its own."""

    enabled: bool = setting(False, "Run Jaeger beside the control plane.")
    port: Port | None = setting(
        None, "Port of its Zipkin collector; observability.tracing.port, else 9411, if absent."
    )


class Azure(Model):
    """Azure Monitor, to which Fluent Bit sends."""

    workspace_id: Annotated[
        str, matching(r"^[A-Za-z0-9-]+$", "an id of letters, digits and '-'")
    ] = Field(description="The workspace.")
    key_secret: SecretKeyReference = Field(
        description="Where the workspace's key is; the key itself is never a setting."
    )


class FluentBit(Model):
    """Fluent Bit beside the controller: its log goes to where the output plugin sends it."""

    enabled: bool = setting(False, "Run Fluent Bit beside the controller.")
    name: DnsLabel = setting("fluentbit-logger", "Name of its container.")
    pull_policy: PullPolicy = setting("IfNotPresent", "imagePullPolicy of its image.")
    output_plugin: Annotated[
        str, matching(r"^[A-Za-z0-9_]+$", "a plugin's name of letters, digits and '_'")
    ] = setting("stdout", "Fluent Bit's output plugin, such as stdout or azure.")
    azure: Azure | None = setting(None, "Required when outputPlugin is azure.")
    proxy_secret: DnsName | None = setting(
        None,
        "A Secret with the keys HTTP_PROXY and HTTPS_PROXY: Fluent Bit sends through the proxy.",
    )


class Components(Model):
    """The control plane's Deployments, and the programs beside them."""

    bootstrap: Bootstrap = section(Bootstrap, "fsm-bootstrap.")
    controller: Controller = section(Controller, "fsm-controller.")
    injector: Injector = section(Injector, "fsm-injector.")
    ingress: IngressProgram = section(IngressProgram, "fsm-ingress.")
    egress_gateway: EgressGatewayProgram = section(EgressGatewayProgram, "The egress gateway.")
    xnetwork: Xnetwork = section(Xnetwork, "fsm-xnetwork, for NodeLevel interception.")
    prometheus: Prometheus = section(Prometheus, "Prometheus.")
    grafana: Grafana = section(Grafana, "Grafana.")
    jaeger: Jaeger = section(Jaeger, "Jaeger.")
    fluent_bit: FluentBit = section(FluentBit, "Fluent Bit.")
