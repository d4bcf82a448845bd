"""Findings about a stack's settings as a document: keys, types, secrets, what is not provided."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

RULES: Final = (
    Rule(
        id="more-problems",
        severity="error",
        title="more problems than are told",
        why="The file has more values that cannot be used; each would be one more line.",
        fix="Mend those that are told, and validate again.",
        acceptable=False,
    ),
    Rule(
        id="unknown-key",
        severity="error",
        title="a key that no setting has",
        why="It would be ignored: a misspelt exclusion would silently not exist.",
        fix="Correct the key, or remove it.",
        acceptable=False,
    ),
    Rule(
        id="no-settings",
        severity="error",
        title="a stack without settings",
        why=(
            "A mesh of defaults is nobody's wish: the stack's config is in another place, or was not "
            "given to a program of the Automation API."
        ),
        fix="Write the settings into Pulumi.<stack>.yaml, or give them to the program's stack.",
        acceptable=False,
    ),
    Rule(
        id="missing-key",
        severity="error",
        title="a required setting is absent",
        why="There is no safe default for it.",
        fix="Add the key.",
        acceptable=False,
    ),
    Rule(
        id="wrong-type",
        severity="error",
        title="a value has another type than its setting",
        why="Nothing is converted silently: '080' is not 80, and \"yes\" is not true.",
        fix="Write the type that the message names.",
        acceptable=False,
    ),
    Rule(
        id="invalid-value",
        severity="error",
        title="a value is outside what its setting allows",
        why="Upstream or Kubernetes would refuse it, or do something else.",
        fix="Write a value that the message names.",
        acceptable=False,
    ),
    Rule(
        id="ambiguous-scalar",
        severity="error",
        title="a plain YAML scalar that the engine and this tool would read differently",
        why=(
            "The Pulumi CLI reads YAML as Go does (0o17 is 15, 1e3 is 1000, yes is a string); other "
            "readers differ. The two could then deploy different meshes from one file."
        ),
        fix="Quote a string, or write a number in plain decimal.",
        acceptable=False,
    ),
    Rule(
        id="duplicate-key",
        severity="error",
        title="a mapping has the same key twice",
        why="One of the two would silently win.",
        fix="Remove one of them.",
        acceptable=False,
    ),
    Rule(
        id="secret-value",
        severity="error",
        title="a secret value in the stack's settings",
        why=(
            "Rendered manifests are committed and stack outputs are read by others: no setting takes "
            "a secret, plain or encrypted."
        ),
        fix="Create a Kubernetes Secret out of band and name it in the setting that takes a reference.",
        acceptable=False,
    ),
    Rule(
        id="name-taken",
        severity="error",
        title="two objects or labels of the stack would have one name",
        why="One of the two would silently win, or the engine would refuse the stack.",
        fix="Choose another name.",
        acceptable=False,
    ),
    Rule(
        id="no-effect",
        severity="warning",
        title="a setting that nothing reads",
        why="Its author believes that it changes the mesh.",
        fix="Remove it, or use the setting that the message names.",
    ),
    Rule(
        id="no-destination",
        severity="warning",
        title="something is sent to a host that no setting names",
        why="FSM takes the switch without complaint; what is sent is lost, or every request waits.",
        fix="Set the address and port beside the switch, or write false.",
        source="flomesh-io/fsm pkg/configurator",
    ),
    Rule(
        id="api-server-in-pod-range",
        severity="warning",
        title="the API server's address is inside the pod range",
        why=(
            "An API server is a node or has a service address in most clusters; the preset "
            "kubernetes-api would exclude an application's pod instead."
        ),
        fix="Write the API server's address, or accept the finding where it runs as a pod.",
    ),
    Rule(
        id="not-provided-yet",
        severity="error",
        title="a part of FSM that this package does not declare yet",
        why="Half a component is worse than none: its switch without its Deployment breaks requests.",
        fix="Leave the setting at its default.",
        acceptable=False,
    ),
    Rule(
        id="not-in-system",
        severity="error",
        title="a setting that the chosen system does not have",
        why="osm-edge and OSM read another MeshConfig; the field would be dropped by their API server.",
        fix="Remove the setting, or choose the system that has it.",
        acceptable=False,
    ),
    Rule(
        id="esc-environment",
        severity="error",
        title="the stack imports a Pulumi environment",
        why=(
            "Settings from an environment exist only while the engine runs: manifests rendered "
            "without them would be another mesh."
        ),
        fix="Write the settings into the stack file.",
        acceptable=False,
    ),
    Rule(
        id="accept-refused",
        severity="error",
        title="accept names a finding that cannot be taken",
        why="With it the mesh does not work at all, or no object can be declared.",
        fix="Mend the finding, and remove it from accept.",
        acceptable=False,
    ),
    Rule(
        id="injection-ignored",
        severity="error",
        title="an enrolled namespace that the injector leaves alone",
        why="Pods of kube-system, kube-public and the control plane's namespace are never injected.",
        fix="Remove it from enrolledNamespaces.",
        source="flomesh-io/fsm pkg/injector, decision",
        acceptable=False,
    ),
    Rule(
        id="partial-system",
        severity="info",
        title="a stack of osm-edge or OSM is its MeshConfig and its redirection only",
        why="Their control planes are installed by their own tools; this package declares FSM's.",
        fix="Install the control plane first; its MeshConfig has to exist as a kind.",
    ),
    Rule(
        id="accept-unused",
        severity="warning",
        title="an accepted finding does not occur",
        why="It may hide the next, different problem at the same place.",
        fix="Remove it from accept.",
        acceptable=False,
    ),
    Rule(
        id="accept-expired",
        severity="warning",
        title="an accepted finding is past its date and counts again",
        why="Its author gave it an end.",
        fix="Mend the finding, or agree on a new date.",
        acceptable=False,
    ),
    Rule(
        id="accept-unknown",
        severity="error",
        title="accept names an id that does not exist",
        why="Nothing would be accepted.",
        fix="Write one of the ids that fsm-stack explain lists.",
        acceptable=False,
    ),
    Rule(
        id="fsm-unreleased",
        severity="warning",
        title="upstream has not released this version of FSM",
        why="There is no chart archive to vendor, and no image has that tag: pods would not start.",
        fix="Write fsmVersion 1.5.1, or name your own images and accept the finding.",
        source="flomesh-io/fsm: branch release/v1.6 without a tag, newest tag v1.5.1",
    ),
    Rule(
        id="kubernetes-too-old",
        severity="error",
        title="the cluster's Kubernetes is too old for what the stack declares",
        why="The API server does not serve what FSM's programs, or the stack's objects, need.",
        fix="Upgrade the cluster, correct cluster.kubernetesVersion, or take the setting out.",
        source="flomesh-io/fsm pkg/version/utils.go; Kubernetes' deprecated API guide",
        acceptable=False,
    ),
    Rule(
        id="assets-omitted",
        severity="error",
        title="the release's Pipy scripts are left out of a stack that is to run",
        why="The controller's init container unpacks them: without them the controller does not start.",
        fix=(
            "To run it: fsm-stack vendor --version <version>, then releaseAssets.source: vendored. "
            "To look at it only: deployment.lookOnly: true."
        ),
        acceptable=False,
    ),
    Rule(
        id="look-only",
        severity="info",
        title="the stack is there to look at",
        why=(
            "It shows objects and redirection, and need not run. Brought up all the same, pods of "
            "its enrolled namespaces are refused, or never become ready, until a control plane runs."
        ),
        fix="To run it, take deployment.lookOnly out, and mend what is then reported.",
    ),
    Rule(
        id="assets-missing",
        severity="error",
        title="the release's Pipy scripts are not vendored",
        why="The controller's init container unpacks them: without them the controller does not start.",
        fix="fsm-stack vendor --version <version>",
        acceptable=False,
    ),
    Rule(
        id="too-large",
        severity="error",
        title="an object is larger than the API server takes",
        why="pulumi up would stop in the middle, and Argo CD or Flux would never get in sync.",
        fix="fsm-stack tidy STACK finds the smallest lists that mean the same.",
        source="k8s.io/kubernetes pkg/apis/core, MaxSecretSize",
        acceptable=False,
    ),
    Rule(
        id="mutable-image",
        severity="warning",
        title="an image is named by the moving tag latest",
        why="Two pods of one mesh may then run different sidecars, and a review shows no change.",
        fix="Name a version tag, or a digest.",
    ),
    Rule(
        id="webhook-replaced",
        severity="error",
        title="the change would replace a webhook configuration while namespaces are enrolled",
        why=(
            "The injector writes its CA bundle once, at its start: until it restarts no pod of an "
            "enrolled namespace can be created."
        ),
        fix="Un-enrol the namespaces first, or keep meshName and the webhook's prefix.",
        hazard=("H23",),
        source="flomesh-io/fsm pkg/injector, webhook configuration",
        acceptable=False,
    ),
    Rule(
        id="adopting",
        severity="info",
        title="the stack takes objects over that somebody else installed",
        why=(
            "The named objects are updated where they exist, and their installer's fields become the "
            "stack's. While the setting stands, what is changed in them by hand is overwritten unseen."
        ),
        fix="Run pulumi up once, take deployment.adopt out, and run it again.",
        source="pulumi-kubernetes, upsertExistingObjects and pulumi.com/patchForce",
    ),
)
