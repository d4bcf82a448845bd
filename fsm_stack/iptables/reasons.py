"""Why each kind of rule exists, in one place: generated and recognised rules say the same."""

from __future__ import annotations

from typing import Final

TO_INBOUND_LISTENER: Final = "intercepted inbound traffic goes to the sidecar's inbound listener"
HOOK_INBOUND: Final = "every TCP connection that enters the pod is examined"
PROMETHEUS: Final = "Prometheus scrapes the sidecar itself on this port"
LIVENESS: Final = "the rewritten liveness probes go to the sidecar itself"
READINESS: Final = "the rewritten readiness probes go to the sidecar itself"
STARTUP: Final = "the rewritten startup probes go to the sidecar itself"
HEALTHCHECK: Final = "the health-check helper answers here, bypassing the sidecar"
INTERCEPT_INBOUND: Final = "what no inbound rule excluded is intercepted"
INBOUND_INTERFACE: Final = "traffic that enters through this interface is excluded"
INBOUND_PORTS: Final = "these inbound ports are excluded"
TO_OUTBOUND_LISTENER: Final = (
    "intercepted outbound traffic goes to the sidecar's outbound listener"
)
ADMIN: Final = "meant to spare the sidecar's admin port; dead, the rule before it takes all TCP"
HOOK_OUTBOUND: Final = "every TCP connection that leaves a process of the pod is examined"
SELF_CALL: Final = "the sidecar calls its own pod through a service: treat it as inbound"
APP_LOOPBACK: Final = "processes of the pod that talk over loopback are not intercepted"
SIDECAR: Final = "the sidecar's own traffic must not loop back into it"
LOCALHOST: Final = "traffic to localhost is not intercepted"
DNS: Final = "DNS queries to the local resolver go to the sidecar's DNS listener"
POD_IP: Final = "the sidecar reaches the application at the pod's address, not at localhost"
OUTBOUND_INTERFACE: Final = "traffic that leaves through this interface is excluded"
OUTBOUND_RANGE: Final = "this outbound IP range is excluded"
OUTBOUND_PORTS: Final = "these outbound ports are excluded"
INCLUDED_RANGE: Final = "this outbound IP range is included"
INTERCEPT_OUTBOUND: Final = "what no outbound rule excluded is intercepted"
NOT_INCLUDED: Final = "only the included ranges are intercepted"
