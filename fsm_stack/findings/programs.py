"""Findings about the programs of a control plane: why one of them is not available."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

_APPLY: Final = "Run `pulumi up --refresh` for the stack, or apply its rendered files."


def _rule(rule_id: str, title: str, why: str, fix: str, *, source: str) -> Rule:
    return Rule(
        id=rule_id, title=title, why=why, fix=fix, severity="error", acceptable=False,
        source=source,
    )  # fmt: skip


RULES: Final = (
    _rule(
        "control-plane-absent",
        "the control plane is not installed",
        "There is no injector and no controller: no pod gets a sidecar, and no sidecar a configuration.",
        _APPLY,
        source="charts/fsm",
    ),
    _rule(
        "program-absent",
        "a program of the control plane is not there",
        "Somebody deleted its Deployment: nothing makes its pods.",
        _APPLY,
        source="charts/fsm",
    ),
    _rule(
        "program-scaled-to-zero",
        "a program of the control plane is scaled to 0 pods",
        "A restart of a Deployment without pods makes none.",
        "Scale it to the declared number: `kubectl scale deployment/NAME --replicas=N`.",
        source="Kubernetes, Deployment",
    ),
    _rule(
        "program-refused",
        "the API server refuses the pods of a program of the control plane",
        "A quota, pod security, a limit, a webhook or a missing service account: no pod is ever made, and none shows.",
        "Remove what refuses them, then restart the Deployment: its ReplicaSet tries again ever more rarely.",
        source="Kubernetes, condition ReplicaFailure",
    ),
    _rule(
        "program-unschedulable",
        "no node takes a pod of the control plane",
        "Requests, taints or affinity leave no node for it; it waits, without end.",
        "Make room on a node, or lower the requests in what is declared.",
        source="Kubernetes, condition PodScheduled",
    ),
    _rule(
        "program-image",
        "an image of the control plane cannot be pulled",
        "The kubelet tries again for ever, and the container never starts.",
        "Correct the image, or put it where its registry serves it.",
        source="kubernetes pkg/kubelet/images",
    ),
    _rule(
        "program-files",
        "a ConfigMap, a Secret or a volume of the control plane is not there",
        "The kubelet starts no container before all that it mounts and reads is there.",
        "Make what is missing: `pulumi up --refresh`, or apply the rendered files.",
        source="kubernetes pkg/kubelet, FailedMount and CreateContainerConfigError",
    ),
    _rule(
        "program-start",
        "the container runtime does not start a container of the control plane",
        "Its sandbox, its command or a hook fails before the program runs.",
        "Read the pod's events; they hold the runtime's words.",
        source="kubernetes pkg/kubelet/container",
    ),
    _rule(
        "program-waits",
        "a program of the control plane waits for another one",
        "Its init container asks fsm-bootstrap until that answers.",
        "Let fsm-bootstrap run.",
        source="charts/fsm, init containers",
    ),
    _rule(
        "program-forbidden",
        "the API server refuses what a program of the control plane asks for",
        "Its caches never fill without the right; it gives up and ends.",
        "Grant the right, then restart the program.",
        source="k8s.io/apiserver, forbiddenMessage",
    ),
    _rule(
        "program-crash",
        "a program of the control plane ends again and again",
        "The kubelet waits longer before each new start.",
        "Read the last lines of its log.",
        source="Kubernetes, container status",
    ),
    _rule(
        "program-probe",
        "a program of the control plane does not answer its probe",
        "It runs, and no Service sends it anything; after a liveness probe it is ended.",
        "Read its log, and restart it.",
        source="kubernetes pkg/kubelet/prober",
    ),
    _rule(
        "program-rollout",
        "a rollout of the control plane does not end",
        "Pods of the template before may serve, without what was changed.",
        "Resume or undo it, and mend what its new pods lack.",
        source="Kubernetes, condition Progressing",
    ),
    _rule(
        "cluster-rights",
        "the control plane's account lacks a declared right",
        "The API server refuses what it grants: caches never fill, and at its next start the program ends.",
        _APPLY,
        source="Kubernetes, RBAC; the requests that FSM's programs make",
    ),
    _rule(
        "cluster-services",
        "a Service of the control plane leads elsewhere than declared",
        "Its ports reach no program: a webhook is not answered, or a sidecar gets no configuration.",
        _APPLY,
        source="charts/fsm, the Services",
    ),
)
