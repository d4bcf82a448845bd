"""Why each kind of rule exists, in one place: generated and recognised rules say the same."""

from __future__ import annotations

from enum import Enum

from fsm_stack import lists


class Reason(Enum):
    """Why a rule is there.

    Attributes:
        text: the reason in words.
        entries_of: the list whose entries the rule is made from; None: every script has the rule.
    """

    TO_INBOUND_LISTENER = "intercepted inbound traffic goes to the sidecar's inbound listener"
    HOOK_INBOUND = "every TCP connection that enters the pod is examined"
    PROMETHEUS = "Prometheus scrapes the sidecar itself on this port"
    LIVENESS = "the rewritten liveness probes go to the sidecar itself"
    READINESS = "the rewritten readiness probes go to the sidecar itself"
    STARTUP = "the rewritten startup probes go to the sidecar itself"
    HEALTHCHECK = "the health-check helper answers here, bypassing the sidecar"
    INTERCEPT_INBOUND = "what no inbound rule excluded is intercepted"
    INBOUND_INTERFACE = "traffic that enters through this interface is excluded", lists.INTERFACES
    INBOUND_PORTS = "these inbound ports are excluded", lists.INBOUND_PORTS
    TO_OUTBOUND_LISTENER = "intercepted outbound traffic goes to the sidecar's outbound listener"
    ADMIN = "meant to spare the sidecar's admin port; dead, the rule before it takes all TCP"
    HOOK_OUTBOUND = "every TCP connection that leaves a process of the pod is examined"
    SELF_CALL = "the sidecar calls its own pod through a service: treat it as inbound"
    APP_LOOPBACK = "processes of the pod that talk over loopback are not intercepted"
    SIDECAR = "the sidecar's own traffic must not loop back into it"
    LOCALHOST = "traffic to localhost is not intercepted"
    DNS = "DNS queries to the local resolver go to the sidecar's DNS listener"
    POD_IP = "the sidecar reaches the application at the pod's address, not at localhost"
    OUTBOUND_INTERFACE = "traffic that leaves through this interface is excluded", lists.INTERFACES
    OUTBOUND_RANGE = "this outbound IP range is excluded", lists.EXCLUDED_RANGES
    OUTBOUND_PORTS = "these outbound ports are excluded", lists.OUTBOUND_PORTS
    INCLUDED_RANGE = "this outbound IP range is included", lists.INCLUDED_RANGES
    INTERCEPT_OUTBOUND = "what no outbound rule excluded is intercepted"
    NOT_INCLUDED = "only the included ranges are intercepted"
    UNKNOWN = "not a rule of any known injector"

    def __init__(self, text: str, entries_of: lists.ListName | None = None) -> None:
        """One reason."""
        self.text = text
        self.entries_of = entries_of
