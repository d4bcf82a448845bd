"""Facts of the mesh that every system shares, each with its source."""

from __future__ import annotations

from typing import Final

# The sidecar runs as this user; rules return its traffic so that it does not loop.
# Source: flomesh-io/fsm pkg/constants (SidecarUID), openservicemesh/osm pkg/constants (EnvoyUID).
SIDECAR_UID: Final = 1500

# Listener ports of the sidecar. Source: pkg/constants of FSM, osm-edge and OSM.
ADMIN_PORT: Final = 15000
OUTBOUND_LISTENER_PORT: Final = 15001
INBOUND_LISTENER_PORT: Final = 15003
PROMETHEUS_PORT: Final = 15010
LIVENESS_PROBE_PORT: Final = 15901
READINESS_PROBE_PORT: Final = 15902
STARTUP_PROBE_PORT: Final = 15903
HEALTHCHECK_PORT: Final = 15904

# The repository port of the sidecar. Source: code only (repoServer.port), not in the guide.
REPO_PORT: Final = 6060

RESERVED_PORTS: Final[dict[int, str]] = {
    ADMIN_PORT: "the sidecar's admin interface, on localhost",
    OUTBOUND_LISTENER_PORT: "the sidecar's outbound listener",
    INBOUND_LISTENER_PORT: "the sidecar's inbound listener",
    PROMETHEUS_PORT: "the sidecar's Prometheus listener",
    LIVENESS_PROBE_PORT: "rewritten liveness probes",
    READINESS_PROBE_PORT: "rewritten readiness probes",
    STARTUP_PROBE_PORT: "rewritten startup probes",
    HEALTHCHECK_PORT: "the health-check helper, which bypasses the sidecar",
}

# Bytes of a ConfigMap. Source: k8s.io/kubernetes pkg/apis/core, MaxSecretSize, for both kinds.
CONFIG_MAP_MAX: Final = 1024 * 1024

# Destinations of one multiport match. Source: Linux uapi xt_multiport.h, XT_MULTI_PORTS.
MULTIPORT_MAX: Final = 15

# An interface name holds 15 bytes and a terminating zero. Source: Linux uapi if.h, IFNAMSIZ.
INTERFACE_NAME_MAX: Final = 15

# What services of applications listen on where nobody had a reason for another port.
USUAL_SERVICE_PORTS: Final = frozenset(
    {80, 443, 3000, 5000, 8000, 8080, 8081, 8443, 8888, 9000, 50051}
)

PORT_MIN: Final = 1
PORT_MAX: Final = 65535
# 4294967295 is refused: it stands for "no user".
UID_MAX: Final = (1 << 32) - 2

# Webhook configurations that the controller fills for FSM's gateway and ingress.
# Source: flomesh-io/fsm pkg/constants, DefaultMutatingWebhookConfigurationName and its twin.
GATEWAY_MUTATING_WEBHOOK: Final = "flomesh-mutating-webhook-configuration"
GATEWAY_VALIDATING_WEBHOOK: Final = "flomesh-validating-webhook-configuration"

# The label that tells FSM's ingress from those of single namespaces, and the only class that the
# controller reconciles. Source: flomesh-io/fsm pkg/constants, IngressPipyClass and its controller.
INGRESS_LABEL: Final = "networking.flomesh.io/namespaced"
INGRESS_CLASS: Final = "pipy"

# ConfigMaps beside the control plane: bootstrap makes a lost MeshConfig from the first; the second
# is this package's own. Source: flomesh-io/fsm charts/fsm/templates/preset-mesh-config.yaml.
PRESET_CONFIG_MAP: Final = "preset-mesh-config"
REDIRECTION_CONFIG_MAP: Final = "fsm-redirection"

# The annotations that switch injection and metrics, and what they say, in any case of letters.
# Source: flomesh-io/fsm pkg/injector/webhook.go, isAnnotatedForInjection.
INJECTION: Final = "sidecar-injection"
METRICS: Final = "metrics"
YES: Final = frozenset({"enabled", "yes", "true"})
NO: Final = frozenset({"disabled", "no", "false"})

# What a canary is made of where a policy gives pods what it tries. Source: Kubernetes' API.
CANARY_KINDS: Final = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
# On everything that a canary makes, the pods that it changes among it: which change is tried.
CANARY_LABEL: Final = "fsm-stack.flomesh.io/canary"
# On an owner whose pod template a canary changed: what stood there before, as JSON.
CANARY_BEFORE: Final = "fsm-stack.flomesh.io/canary-before"

# The controller takes a Secret for FLB's only with this label, and stops without one.
# Source: flomesh-io/fsm pkg/controllers/flb/settings.go, defaultGlobalSetting.
FLB_LABEL: Final = "flb.flomesh.io/config=true"
