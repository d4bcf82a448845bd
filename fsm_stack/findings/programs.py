"""Findings about the programs of a control plane: why one of them is not available."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings import fatal
from fsm_stack.findings.cluster import APPLY

RULES: Final = (
    fatal(
        id="control-plane-absent",
        title="the control plane is not installed",
        why="There is no injector and no controller: no pod gets a sidecar, and no sidecar a configuration.",
        fix=APPLY,
        source="charts/fsm",
    ),
    fatal(
        id="program-absent",
        title="a program of the control plane is not there",
        why="Somebody deleted its Deployment or DaemonSet, and nothing makes its pods; or the ingress class, and no Ingress is served.",
        fix=APPLY,
        source="charts/fsm",
    ),
    fatal(
        id="program-scaled-to-zero",
        title="a program of the control plane is scaled to 0 pods",
        why="A restart of a Deployment without pods makes none.",
        fix="Scale it to the declared number: `kubectl scale deployment/NAME --replicas=N`.",
        source="Kubernetes, Deployment",
    ),
    fatal(
        id="program-refused",
        title="the API server refuses the pods of a program of the control plane",
        why="A quota, pod security, a limit, a webhook or a missing service account: no pod is ever made, and none shows.",
        fix="Remove what refuses them, then restart the Deployment: its ReplicaSet tries again ever more rarely.",
        source="Kubernetes, condition ReplicaFailure",
    ),
    fatal(
        id="program-unschedulable",
        title="no node takes a pod of the control plane",
        why="Requests, taints or affinity leave no node for it; it waits, without end.",
        fix="Make room on a node, or lower the requests in what is declared.",
        source="Kubernetes, condition PodScheduled",
    ),
    fatal(
        id="program-image",
        title="an image of the control plane cannot be pulled",
        why="The kubelet tries again for ever, and the container never starts.",
        fix="Correct the image, or put it where its registry serves it.",
        source="kubernetes pkg/kubelet/images",
    ),
    fatal(
        id="program-files",
        title="a ConfigMap, a Secret or a volume of the control plane is not there",
        why="The kubelet starts no container before all that it mounts and reads is there.",
        fix="Make what is missing: `pulumi up --refresh`, or apply the rendered files.",
        source="kubernetes pkg/kubelet, FailedMount and CreateContainerConfigError",
    ),
    fatal(
        id="program-start",
        title="the container runtime does not start a container of the control plane",
        why="Its sandbox, its command or a hook fails before the program runs.",
        fix="Read the pod's events; they hold the runtime's words.",
        source="kubernetes pkg/kubelet/container",
    ),
    fatal(
        id="program-waits",
        title="a program of the control plane waits for another one",
        why="Its init container asks fsm-bootstrap until that answers.",
        fix="Let fsm-bootstrap run.",
        source="charts/fsm, init containers",
    ),
    fatal(
        id="program-forbidden",
        title="the API server refuses what a program of the control plane asks for",
        why="Its caches never fill without the right; it gives up and ends.",
        fix="Grant the right, then restart the program.",
        source="k8s.io/apiserver, forbiddenMessage",
    ),
    fatal(
        id="program-crash",
        title="a program of the control plane ends again and again",
        why="The kubelet waits longer before each new start.",
        fix="Read the last lines of its log.",
        source="Kubernetes, container status",
    ),
    fatal(
        id="program-probe",
        title="a program of the control plane does not answer its probe",
        why="It runs, and no Service sends it anything; after a liveness probe it is ended.",
        fix="Read its log, and restart it.",
        source="kubernetes pkg/kubelet/prober",
    ),
    fatal(
        id="program-rollout",
        title="a rollout of the control plane does not end",
        why="Pods of the template before may serve, without what was changed.",
        fix="Resume or undo it, and mend what its new pods lack.",
        source="Kubernetes, condition Progressing",
    ),
    fatal(
        id="cluster-rights",
        title="the control plane's account lacks a declared right",
        why="The API server refuses what it grants: caches never fill, and at its next start the program ends.",
        fix=APPLY,
        source="Kubernetes, RBAC; the requests that FSM's programs make",
    ),
    fatal(
        id="cluster-services",
        title="a Service of the control plane leads elsewhere than declared",
        why="Its ports reach no program: a webhook is not answered, or a sidecar gets no configuration.",
        fix=APPLY,
        source="charts/fsm, the Services",
    ),
)
