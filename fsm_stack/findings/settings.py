"""Findings about a stack's settings as a document: keys, types, secrets, what is not provided."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings import fatal, info, warning

MORE: Final = "more-problems"  # its value is their number

RULES: Final = (
    fatal(
        id=MORE,
        title="more problems than are told",
        why="The file has more values that cannot be used; each would be one more line.",
        fix="Mend those that are told, and validate again.",
    ),
    fatal(
        id="unknown-key",
        title="a key that no setting has",
        why="It would be ignored: a misspelt exclusion would silently not exist.",
        fix="Correct the key, or remove it.",
    ),
    fatal(
        id="no-settings",
        title="a stack without settings",
        why="A mesh of defaults is nobody's wish: the stack's config is in another place, or was not given to a program of the Automation API.",
        fix="Write the settings into Pulumi.<stack>.yaml, or give them to the program's stack.",
    ),
    fatal(
        id="missing-key",
        title="a required setting is absent",
        why="There is no safe default for it.",
        fix="Add the key.",
    ),
    fatal(
        id="wrong-type",
        title="a value has another type than its setting",
        why="Nothing is converted silently: '080' is not 80, and \"yes\" is not true.",
        fix="Write the type that the message names.",
    ),
    fatal(
        id="invalid-value",
        title="a value is outside what its setting allows",
        why="Upstream or Kubernetes would refuse it, or do something else.",
        fix="Write a value that the message names.",
    ),
    fatal(
        id="ambiguous-scalar",
        title="a plain YAML scalar that the engine and this tool would read differently",
        why="The Pulumi CLI reads YAML as Go does (0o17 is 15, 1e3 is 1000, yes is a string); other readers differ. The two could then deploy different meshes from one file.",
        fix="Quote a string, or write a number in plain decimal.",
    ),
    fatal(
        id="duplicate-key",
        title="a mapping has the same key twice",
        why="One of the two would silently win.",
        fix="Remove one of them.",
    ),
    fatal(
        id="secret-value",
        title="a secret value in the stack's settings",
        why="Rendered manifests are committed and stack outputs are read by others: no setting takes a secret, plain or encrypted.",
        fix="Create a Kubernetes Secret out of band and name it in the setting that takes a reference.",
    ),
    info(
        id="secret-needed",
        title="a program stops without a Secret that no stack declares",
        why="Credentials are in no stack: FSM's chart makes the Secret, with admin as user and password, and its controller panics where it is absent.",
        fix="Create the Secret before pulumi up; the documentation has the command, under Install.",
        source="flomesh-io/fsm pkg/controllers/flb/settings.go",
    ),
    fatal(
        id="name-taken",
        title="two objects or labels of the stack would have one name",
        why="One of the two would silently win, or the engine would refuse the stack.",
        fix="Choose another name.",
    ),
    fatal(
        id="one-mesh-only",
        title="a second mesh of a cluster asks for what only one of them can have",
        why="FSM's programs give the objects of this feature fixed names, or act on the whole cluster: both meshes would write over one another.",
        fix="Leave the feature to the mesh whose mesh.releaseName is fsm.",
        source="flomesh-io/fsm pkg/constants; charts/fsm/templates",
    ),
    warning(
        id="no-effect",
        title="a setting that nothing reads",
        why="Its author believes that it changes the mesh.",
        fix="Remove it, or use the setting that the message names.",
    ),
    warning(
        id="no-destination",
        title="something is sent to a host that no setting names",
        why="FSM takes the switch without complaint; what is sent is lost, or every request waits.",
        fix="Set the address and port beside the switch, or write false.",
        source="flomesh-io/fsm pkg/configurator",
    ),
    warning(
        id="cluster-unnamed",
        title="a stack of production does not say which cluster it is for",
        why="The current kubeconfig context decides then: pulumi up changes the cluster that it happens to point to.",
        fix="Set cluster.uid, the UID of namespace kube-system, or cluster.context.",
    ),
    warning(
        id="api-server-in-pod-range",
        title="the API server's address is inside the pod range",
        why="An API server is a node or has a service address in most clusters; the preset kubernetes-api would exclude an application's pod instead.",
        fix="Write the API server's address, or accept the finding where it runs as a pod.",
    ),
    fatal(
        id="not-in-system",
        title="a setting that the chosen system does not have",
        why="osm-edge and OSM read another MeshConfig; the field would be dropped by their API server.",
        fix="Remove the setting, or choose the system that has it.",
    ),
    fatal(
        id="esc-environment",
        title="the stack imports a Pulumi environment",
        why="Settings from an environment exist only while the engine runs: manifests rendered without them would be another mesh.",
        fix="Write the settings into the stack file.",
    ),
    fatal(
        id="project-setting",
        title="Pulumi.yaml gives a setting to every stack",
        why="The engine takes it for each stack whose file does not set that key. What validates, reviews and renders a stack reads the stack's file: it would tell of another mesh.",
        fix="Write it into the file of each stack that is to have it.",
    ),
    fatal(
        id="accept-refused",
        title="accept names a finding that cannot be taken",
        why="With it the mesh does not work at all, or no object can be declared.",
        fix="Mend the finding, and remove it from accept.",
    ),
    fatal(
        id="injection-ignored",
        title="an enrolled namespace that the injector leaves alone",
        why="Pods of kube-system, kube-public and the control plane's namespace are never injected.",
        fix="Remove it from enrolledNamespaces.",
        source="flomesh-io/fsm pkg/injector, decision",
    ),
    info(
        id="partial-system",
        title="a stack of osm-edge or OSM is its MeshConfig and its redirection only",
        why="Their control planes are installed by their own tools; this package declares FSM's.",
        fix="Install the control plane first; its MeshConfig has to exist as a kind.",
    ),
    warning(
        id="accept-unused",
        title="an accepted finding does not occur",
        why="It may hide the next, different problem at the same place.",
        fix="Remove it from accept.",
        acceptable=False,
    ),
    warning(
        id="accept-expired",
        title="an accepted finding is past its date and counts again",
        why="Its author gave it an end.",
        fix="Mend the finding, or agree on a new date.",
        acceptable=False,
    ),
    fatal(
        id="accept-unknown",
        title="accept names an id that does not exist",
        why="Nothing would be accepted.",
        fix="Write one of the ids that fsm-stack explain lists.",
    ),
    warning(
        id="fsm-unreleased",
        title="upstream has not released this version of FSM",
        why="There is no chart archive to vendor, and no image has that tag: pods would not start.",
        fix="Write fsmVersion 1.5.1, or name your own images and accept the finding.",
        source="flomesh-io/fsm: branch release/v1.6 without a tag, newest tag v1.5.1",
    ),
    fatal(
        id="kubernetes-too-old",
        title="the cluster's Kubernetes is too old for what the stack declares",
        why="The API server does not serve what FSM's programs, or the stack's objects, need.",
        fix="Upgrade the cluster, correct cluster.kubernetesVersion, or take the setting out.",
        source="flomesh-io/fsm pkg/version/utils.go; Kubernetes' deprecated API guide",
    ),
    fatal(
        id="assets-omitted",
        title="the release's Pipy scripts are left out of a stack that is to run",
        why="The controller's init container unpacks them: without them the controller does not start.",
        fix="To run it: fsm-stack vendor --version <version>, then releaseAssets.source: vendored. To look at it only: deployment.lookOnly: true.",
    ),
    info(
        id="look-only",
        title="the stack is there to look at",
        why="It shows objects and redirection, and need not run. Brought up all the same, pods of its enrolled namespaces are refused, or never become ready, until a control plane runs.",
        fix="To run it, take deployment.lookOnly out, and mend what is then reported.",
    ),
    fatal(
        id="assets-missing",
        title="files of the release are not vendored",
        why="The controller's init container unpacks the release's Pipy scripts: without them it does not start. Grafana's dashboards and the egress gateway's script are the release's, too.",
        fix="fsm-stack vendor --version <version>",
    ),
    fatal(
        id="too-large",
        title="an object is larger than the API server takes",
        why="pulumi up would stop in the middle, and Argo CD or Flux would never get in sync.",
        fix="fsm-stack tidy STACK finds the smallest lists that mean the same.",
        source="k8s.io/kubernetes pkg/apis/core, MaxSecretSize",
    ),
    warning(
        id="mutable-image",
        title="an image is named by the moving tag latest",
        why="Two pods of one mesh may then run different sidecars, and a review shows no change.",
        fix="Name a version tag, or a digest.",
    ),
    fatal(
        id="webhook-replaced",
        title="the change would replace a webhook configuration while namespaces are enrolled",
        why="The injector writes its CA bundle once, at its start: until it restarts no pod of an enrolled namespace can be created.",
        fix="Un-enrol the namespaces first, or keep meshName and the webhook's prefix.",
        hazard=("H23",),
        source="flomesh-io/fsm pkg/injector, webhook configuration",
    ),
    info(
        id="adopting",
        title="the stack takes objects over that somebody else installed",
        why="The named objects are updated where they exist, and their installer's fields become the stack's. While the setting stands, what is changed in them by hand is overwritten unseen.",
        fix="Run pulumi up once, take deployment.adopt out, and run it again.",
        source="pulumi-kubernetes, upsertExistingObjects and pulumi.com/patchForce",
    ),
)
