"""Findings about a running cluster; the ids are those of the checks of ``fsm-stack verify``."""

from __future__ import annotations

from functools import partial
from typing import Final

from fsm_stack.findings.rule import Severity, fatal

_GUIDES: Final = "the troubleshooting guides of FSM, osm-edge and OSM"
_APPLY: Final = "Run `pulumi up --refresh` for the stack, or apply its rendered files."
_INJECTOR: Final = "flomesh-io/fsm pkg/injector/webhook.go"

_rule: Final = partial(fatal, source=_GUIDES)

RULES: Final = (
    _rule(
        id="told-cause",
        title="an event or a log tells why something failed",
        why="It is the API server's, the kubelet's or iptables' own account of the failure.",
        fix="Mend what it names.",
        source="Kubernetes and iptables, their messages",
    ),
    _rule(
        id="next-pod",
        title="pods that are made now will not start",
        why="The injector checks neither the MeshConfig nor the template: pods that run keep the rules of before, and the next ones get a script that iptables refuses.",
        fix="Correct what is named before anything restarts.",
        hazard=("H1", "H2", "H3", "H4", "H5", "H6"),
        source="iptables 1.8.9, seen in the kernel",
    ),
    _rule(
        id="cluster-mesh-config-content",
        title="the MeshConfig's lists do not load or redirect, or stand where nobody reads them",
        why="The API server keeps it, the injector ignores it: what it declares has no effect.",
        fix="Move it to the section where it is read.",
        source="flomesh-io/fsm pkg/apis/config",
    ),
    _rule(
        id="cluster-mesh-config",
        title="the MeshConfig is not there",
        why="Injector and controller run with zero values: no exclusion counts.",
        fix=_APPLY,
    ),
    _rule(
        id="cluster-lists",
        title="a list of the MeshConfig is not what is declared",
        why="The injector reads the cluster's list: new pods get other rules than the reviewed ones.",
        fix="Declare the entry in the stack, or take the list back: run `pulumi up --refresh`.",
    ),
    _rule(
        id="cluster-mesh-config-drift",
        title="a setting of the MeshConfig is not what is declared",
        why="Somebody changed the cluster past the stack; `pulumi up --refresh` changes it back, a plain `pulumi up` does not see it.",
        fix="Declare it in the stack, or run `pulumi up --refresh`.",
        severity=Severity.WARNING,
        source="Kubernetes, metadata.managedFields",
    ),
    _rule(
        id="cluster-control-plane",
        title="a program of the control plane is not available",
        why="Without the injector no pod of the mesh is created; without the controller no sidecar gets its configuration.",
        fix="Read its pods' events and logs.",
        source="charts/fsm",
    ),
    _rule(
        id="cluster-images",
        title="the control plane runs, or injects, another image than declared",
        why="Pods get another version of the sidecar or its rules than the reviewed one; the same version from another registry is a warning.",
        fix="Run `pulumi up --refresh`, or declare the image.",
        source="charts/fsm",
    ),
    _rule(
        id="cluster-redirection",
        title="ConfigMap fsm-redirection is of other settings",
        why="Whoever compares pods with it compares them with settings that are not declared any more.",
        fix=_APPLY,
        severity=Severity.WARNING,
        source="fsm-stack",
    ),
    _rule(
        id="cluster-webhook",
        title="the injector's webhook is not there",
        why="New pods are created without a sidecar, and nobody says so.",
        fix="Restart the injector: it writes the configuration when it starts.",
        source=_INJECTOR,
    ),
    _rule(
        id="cluster-webhook-ca",
        title="the API server cannot trust the injector, or the controller",
        why="With failurePolicy Fail every new pod of the mesh is refused, or every change of a policy.",
        fix="Restart the program: it writes its authority once, when it starts.",
        hazard=("H23",),
        source=_INJECTOR,
    ),
    _rule(
        id="cluster-webhook-stray",
        title="a second webhook takes the same pods",
        why="A configuration that an older version left behind sends pods to a server that may be gone, and refuses them.",
        fix="Delete the configuration that is not the running version's.",
        source="the chart's cleanup job looks for the new version's label",
    ),
    _rule(
        id="cluster-webhook-service",
        title="no ready injector stands behind the webhook",
        why="With failurePolicy Fail every new pod of the mesh is refused.",
        fix="Let the injector run: read its pods' events and logs.",
        source=_INJECTOR,
    ),
    _rule(
        id="cluster-webhook-rules",
        title="the webhook does not send every new pod to the injector",
        why="The API server creates the others without a sidecar, and nobody says so.",
        fix="Restart the injector: it writes the configuration when it starts.",
        source=_INJECTOR,
    ),
    _rule(
        id="cluster-webhook-drift",
        title="the webhook configuration is not what is declared",
        why="Other pods than the declared ones are sent to the injector, or with other consequences.",
        fix=_APPLY,
        severity=Severity.WARNING,
        source="Kubernetes, metadata.managedFields",
    ),
    _rule(
        id="namespace-enrolled",
        title="a namespace is not in the mesh",
        why="Its new pods get no sidecar, or are refused.",
        fix="Label and annotate the namespace, as `fsm namespace add` does.",
        source="flomesh-io/fsm cmd/cli namespace_add.go",
    ),
    _rule(
        id="namespace-selected",
        title="the webhook does not select a namespace of the mesh",
        why="The API server does not ask the injector: new pods get no sidecar.",
        fix="Remove the label that keeps the webhook away, or correct the selector.",
        source=_INJECTOR,
    ),
    _rule(
        id="namespace-quota",
        title="a quota or a limit range does not take the mesh's containers",
        why="The API server counts the sidecar and the init container, too: it refuses the next pods, and pods that run do not show it.",
        fix="Raise it, or set sidecar.resources and sidecar.initResources.",
        hazard=("H30",),
        source="Kubernetes, plugin/pkg/admission/resourcequota and limitranger",
    ),
    _rule(
        id="pod-injected",
        title="a pod has no sidecar where it should, or will lose it",
        why="Its traffic is not redirected, and mesh policies do not apply to it.",
        fix="Restart the pod's owner once the namespace is enrolled and the webhook works.",
        source=f"{_GUIDES}, step 1",
    ),
    _rule(
        id="pod-ready",
        title="a container of an injected pod is not ready",
        why="Redirected traffic reaches a sidecar that does not answer.",
        fix="Read the container's log.",
        source=f"{_GUIDES}, step 1",
    ),
    _rule(
        id="pod-init",
        title="the init container has not loaded the rules",
        why="No rule redirects the pod's traffic; a pod whose init container fails does not start.",
        fix="Read the init container's log.",
        source=f"{_GUIDES}, step 2",
    ),
    _rule(
        id="pod-annotations",
        title="an annotation of a pod cannot be read",
        why="The pod runs with the rules it was made with; the injector refuses the next one.",
        fix="Correct the annotation in the owner's pod template.",
        source=f"{_GUIDES}, outbound ports, step 2",
    ),
    _rule(
        id="pod-script",
        title="a pod's script does not load, or is not what ran",
        why="What is shown is no account of the rules in the kernel.",
        fix="Restart the pod's owner, and read the script again.",
        source="requirement C26",
    ),
    _rule(
        id="pod-generation",
        title="a pod's script is of an older generation",
        why="Today's injectors write other chain names and more rules.",
        fix="Restart the pod's owner under the current injector.",
        severity=Severity.WARNING,
        source="requirement C33",
    ),
    _rule(
        id="pod-rules",
        title="a pod's rules are not those of the merged lists",
        why="Traffic that is declared to bypass the sidecar does not, or the other way round.",
        fix="Restart the pod's owner.",
        source=f"{_GUIDES}, the last step",
    ),
    _rule(
        id="pod-stale",
        title="a pod runs with rules older than the settings",
        why="Settings are read when a pod is injected; a change never reaches a running pod.",
        fix="Restart the pod's owner; `fsm-stack restart-list` prints the commands.",
        source="requirements C16 and C17",
    ),
    _rule(
        id="pod-images",
        title="a pod's sidecar or init container is of another release than is injected now",
        why="A pod keeps the images of its injection; the sidecar may not know what today's controller sends it.",
        fix="Restart the pod's owner; `fsm-stack restart-list` prints the commands.",
        source=_INJECTOR,
    ),
    _rule(
        id="pod-live-rules",
        title="the kernel's rules are not those of the settings",
        why="Something changed the pod's rules after its init container, or they were never loaded.",
        fix="Restart the pod's owner.",
        source="iptables-save of the pod",
    ),
    _rule(
        id="pod-reserved",
        title="an application takes a port or the user of the sidecar",
        why="Two programs cannot listen on one port; traffic of user 1500 bypasses the sidecar.",
        fix="Let the application use another port or user.",
        hazard=("H12", "H13"),
        source="the guide, reserved ports and user",
    ),
    _rule(
        id="pod-annotation-effect",
        title="an annotation has no effect, or will not last",
        why="It is silently ignored, or gone at the restart that would make it count.",
        fix="Correct it in the owner's pod template.",
        hazard=("H15", "H21"),
        source=_INJECTOR,
    ),
    _rule(
        id="owner-pods",
        title="an owner lacks pods, or the injector refuses its next ones",
        why="A pod that was never made shows in no list of pods: a rollout hangs, a replica is missing.",
        fix="Read the events of the owner's ReplicaSet; correct the webhook, or the pod template.",
        source="Kubernetes, condition ReplicaFailure; requests that a webhook refuses",
    ),
    _rule(
        id="owner-annotations",
        title="an annotation stands on an owner instead of its pod template",
        why="Nobody reads it there.",
        fix="Move it to spec.template.metadata.annotations.",
        hazard=("H14",),
        source=_INJECTOR,
    ),
)
