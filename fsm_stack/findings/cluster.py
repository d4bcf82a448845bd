"""Findings about a running cluster; the ids are those of the checks of ``fsm-stack verify``."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

_GUIDES: Final = "the troubleshooting guides of FSM, osm-edge and OSM"
_APPLY: Final = "Run `pulumi up --refresh` for the stack, or apply its rendered files."
_INJECTOR: Final = "flomesh-io/fsm pkg/injector/webhook.go"


def _rule(rule_id: str, title: str, why: str, fix: str, **more: object) -> Rule:
    known: dict[str, object] = {
        "severity": "error",
        "acceptable": False,
        "source": _GUIDES,
        **more,
    }
    return Rule(id=rule_id, title=title, why=why, fix=fix, **known)  # type: ignore[arg-type]


RULES: Final = (
    _rule(
        "next-pod",
        "pods that are made now will not start",
        "The injector checks neither the MeshConfig nor the template: pods that run keep the rules of before, and the next ones get a script that iptables refuses.",
        "Correct what is named before anything restarts.",
        hazard=("H1", "H2", "H3", "H4", "H5", "H6"),
        source="iptables 1.8.9, seen in the kernel",
    ),
    _rule(
        "cluster-mesh-config-content",
        "the MeshConfig's lists do not load or redirect, or stand where nobody reads them",
        "The API server keeps it, the injector ignores it: what it declares has no effect.",
        "Move it to the section where it is read.",
        source="flomesh-io/fsm pkg/apis/config",
    ),
    _rule(
        "cluster-mesh-config",
        "the MeshConfig is not there",
        "Injector and controller run with zero values: no exclusion counts.",
        _APPLY,
    ),
    _rule(
        "cluster-lists",
        "a list of the MeshConfig is not what is declared",
        "The injector reads the cluster's list: new pods get other rules than the reviewed ones.",
        "Declare the entry in the stack, or take the list back: run `pulumi up --refresh`.",
    ),
    _rule(
        "cluster-mesh-config-drift",
        "a setting of the MeshConfig is not what is declared",
        "Somebody changed the cluster past the stack; `pulumi up --refresh` changes it back, a plain `pulumi up` does not see it.",
        "Declare it in the stack, or run `pulumi up --refresh`.",
        severity="warning",
        source="Kubernetes, metadata.managedFields",
    ),
    _rule(
        "cluster-control-plane",
        "a program of the control plane is not available",
        "Without the injector no pod of the mesh is created; without the controller no sidecar gets its configuration.",
        "Read its pods' events and logs.",
        source="charts/fsm",
    ),
    _rule(
        "cluster-images",
        "the control plane runs, or injects, another image than declared",
        "Pods get another version of the sidecar or its rules than the reviewed one; the same version from another registry is a warning.",
        "Run `pulumi up --refresh`, or declare the image.",
        source="charts/fsm",
    ),
    _rule(
        "cluster-redirection",
        "ConfigMap fsm-redirection is of other settings",
        "Whoever compares pods with it compares them with settings that are not declared any more.",
        _APPLY,
        severity="warning",
        source="fsm-stack",
    ),
    _rule(
        "cluster-webhook",
        "the injector's webhook is not there",
        "New pods are created without a sidecar, and nobody says so.",
        "Restart the injector: it writes the configuration when it starts.",
        source=_INJECTOR,
    ),
    _rule(
        "cluster-webhook-ca",
        "the API server cannot trust the injector, or the controller",
        "With failurePolicy Fail every new pod of the mesh is refused, or every change of a policy.",
        "Restart the program: it writes its authority once, when it starts.",
        hazard=("H23",),
        source=_INJECTOR,
    ),
    _rule(
        "cluster-webhook-stray",
        "a second webhook takes the same pods",
        "A configuration that an older version left behind sends pods to a server that may be gone, and refuses them.",
        "Delete the configuration that is not the running version's.",
        source="the chart's cleanup job looks for the new version's label",
    ),
    _rule(
        "cluster-webhook-service",
        "no ready injector stands behind the webhook",
        "With failurePolicy Fail every new pod of the mesh is refused.",
        "Let the injector run: read its pods' events and logs.",
        source=_INJECTOR,
    ),
    _rule(
        "cluster-webhook-rules",
        "the webhook does not send every new pod to the injector",
        "The API server creates the others without a sidecar, and nobody says so.",
        "Restart the injector: it writes the configuration when it starts.",
        source=_INJECTOR,
    ),
    _rule(
        "cluster-webhook-drift",
        "the webhook configuration is not what is declared",
        "Other pods than the declared ones are sent to the injector, or with other consequences.",
        _APPLY,
        severity="warning",
        source="Kubernetes, metadata.managedFields",
    ),
    _rule(
        "namespace-enrolled",
        "a namespace is not in the mesh",
        "Its new pods get no sidecar, or are refused.",
        "Label and annotate the namespace, as `fsm namespace add` does.",
        source="flomesh-io/fsm cmd/cli namespace_add.go",
    ),
    _rule(
        "namespace-selected",
        "the webhook does not select a namespace of the mesh",
        "The API server does not ask the injector: new pods get no sidecar.",
        "Remove the label that keeps the webhook away, or correct the selector.",
        source=_INJECTOR,
    ),
    _rule(
        "pod-injected",
        "a pod has no sidecar where it should, or will lose it",
        "Its traffic is not redirected, and mesh policies do not apply to it.",
        "Restart the pod's owner once the namespace is enrolled and the webhook works.",
        source=f"{_GUIDES}, step 1",
    ),
    _rule(
        "pod-ready",
        "a container of an injected pod is not ready",
        "Redirected traffic reaches a sidecar that does not answer.",
        "Read the container's log.",
        source=f"{_GUIDES}, step 1",
    ),
    _rule(
        "pod-init",
        "the init container has not loaded the rules",
        "No rule redirects the pod's traffic; a pod whose init container fails does not start.",
        "Read the init container's log.",
        source=f"{_GUIDES}, step 2",
    ),
    _rule(
        "pod-annotations",
        "an annotation of a pod cannot be read",
        "The pod runs with the rules it was made with; the injector refuses the next one.",
        "Correct the annotation in the owner's pod template.",
        source=f"{_GUIDES}, outbound ports, step 2",
    ),
    _rule(
        "pod-script",
        "a pod's script does not load, or is not what ran",
        "What is shown is no account of the rules in the kernel.",
        "Restart the pod's owner, and read the script again.",
        source="requirement C26",
    ),
    _rule(
        "pod-generation",
        "a pod's script is of an older generation",
        "Today's injectors write other chain names and more rules.",
        "Restart the pod's owner under the current injector.",
        severity="warning",
        source="requirement C33",
    ),
    _rule(
        "pod-rules",
        "a pod's rules are not those of the merged lists",
        "Traffic that is declared to bypass the sidecar does not, or the other way round.",
        "Restart the pod's owner.",
        source=f"{_GUIDES}, the last step",
    ),
    _rule(
        "pod-stale",
        "a pod runs with rules older than the settings",
        "Settings are read when a pod is injected; a change never reaches a running pod.",
        "Restart the pod's owner; `fsm-stack restart-list` prints the commands.",
        source="requirements C16 and C17",
    ),
    _rule(
        "pod-images",
        "a pod's sidecar or init container is of another release than is injected now",
        "A pod keeps the images of its injection; the sidecar may not know what today's controller sends it.",
        "Restart the pod's owner; `fsm-stack restart-list` prints the commands.",
        source=_INJECTOR,
    ),
    _rule(
        "pod-live-rules",
        "the kernel's rules are not those of the settings",
        "Something changed the pod's rules after its init container, or they were never loaded.",
        "Restart the pod's owner.",
        source="iptables-save of the pod",
    ),
    _rule(
        "pod-reserved",
        "an application takes a port or the user of the sidecar",
        "Two programs cannot listen on one port; traffic of user 1500 bypasses the sidecar.",
        "Let the application use another port or user.",
        hazard=("H12", "H13"),
        source="the guide, reserved ports and user",
    ),
    _rule(
        "pod-annotation-effect",
        "an annotation has no effect, or will not last",
        "It is silently ignored, or gone at the restart that would make it count.",
        "Correct it in the owner's pod template.",
        hazard=("H15", "H21"),
        source=_INJECTOR,
    ),
    _rule(
        "owner-pods",
        "an owner lacks pods, or the injector refuses its next ones",
        "A pod that was never made shows in no list of pods: a rollout hangs, a replica is missing.",
        "Read the events of the owner's ReplicaSet; correct the webhook, or the pod template.",
        source="Kubernetes, condition ReplicaFailure; requests that a webhook refuses",
    ),
    _rule(
        "owner-annotations",
        "an annotation stands on an owner instead of its pod template",
        "Nobody reads it there.",
        "Move it to spec.template.metadata.annotations.",
        hazard=("H14",),
        source=_INJECTOR,
    ),
)
