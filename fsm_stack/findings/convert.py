"""Findings of conversions: what another description of a mesh says, and a stack cannot."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings import error, fatal, info, warning

RULES: Final = (
    warning(
        id="helm-value-coerced",
        title="a Helm value is a list in another form",
        why="--set reads only {a,b} as a list: a bare value stays a scalar, and [a] stays a text. The chart then writes a MeshConfig that the API server refuses.",
        fix="Write {a,b} for --set, or a YAML list in a values file.",
        source="requirements C13 and C14; helm pkg/strvals",
    ),
    warning(
        id="helm-value-ignored",
        title="a Helm value has no effect on the mesh",
        why="The chart or FSM's programs drop it: the mesh does not become what its author meant.",
        fix="Remove the value, or set what the message names.",
        source="flomesh-io/fsm charts/fsm/templates",
    ),
    warning(
        id="set-list-in-brackets",
        title="a list for --set stands in [ ], which Helm does not read",
        why="Helm splits [a,b] at the comma and refuses the second half: the install command that FSM's guide prints for inclusions and inbound ports never ran as it is printed.",
        fix="Write {a,b}, in quotes for the shell.",
        source="requirement C13; helm pkg/strvals",
    ),
    info(
        id="mesh-config-key-ignored",
        title="a key of the MeshConfig that no program of FSM reads",
        why="FSM's Go types do not have it: bootstrap drops it when it writes the object again.",
        fix="Nothing to do: it says nothing.",
        source="flomesh-io/fsm pkg/apis/config/v1alpha3",
    ),
    info(
        id="mesh-config-part-absent",
        title="a MeshConfig lacks a section that FSM's own always has",
        why="What it does not say is what the chart's default says, once a stack declares the whole of it.",
        fix="Compare the section's settings with what is meant.",
        source="flomesh-io/fsm pkg/apis/config/v1alpha3; charts/fsm",
    ),
    warning(
        id="values-overruled",
        title="Helm values say something else than the MeshConfig that runs",
        why="The chart writes the MeshConfig at the first install only: later values, and upgrades, do not reach it. The MeshConfig counts, and the stack says what it says.",
        fix="Where the values are what is meant, change the setting in the stack file.",
        hazard=("H20",),
        source="flomesh-io/fsm cmd/fsm-bootstrap, createDefaultMeshConfig",
    ),
    warning(
        id="conversion-differs",
        title="the stack would write a field of the MeshConfig that is another now",
        why="The field is not a setting of its own, or its value cannot be set: adopting changes it.",
        fix="Look at the field before pulumi up; where it matters, set what the message names.",
        source="the stack's own MeshConfig, compared with the given one",
    ),
    warning(
        id="setting-lost",
        title="a setting of another mesh that FSM does not have",
        why="Nothing in FSM does what it did; the mesh will do without.",
        fix="Find another way where the setting mattered.",
        source="the API types of OSM, osm-edge, Istio, Linkerd and Kuma, compared with FSM's",
    ),
    info(
        id="setting-renamed",
        title="a setting of another mesh has another name in FSM",
        why="It means the same under FSM's name.",
        fix="Nothing to do: it is converted.",
        source="the API types of OSM, osm-edge, Istio, Linkerd and Kuma, compared with FSM's",
    ),
    warning(
        id="setting-means-less",
        title="a setting of another mesh means something else in FSM",
        why="FSM has the nearest thing to it, and not the same.",
        fix="Read what differs, and decide whether it matters.",
        source="the API types and injectors of OSM, osm-edge, Istio, Linkerd and Kuma, compared with FSM's",
    ),
    info(
        id="install-option-ignored",
        title="an option of an install command says nothing about the mesh",
        why="It is about how the command runs: time-outs, waiting, output.",
        fix="Nothing to do.",
        source="flomesh-io/fsm cmd/cli/install.go; helm",
    ),
    warning(
        id="setting-not-exported",
        title="a setting of the stack that the other form cannot say",
        why="What is made of the other form is another mesh than the stack's.",
        fix="Use the stack itself: pulumi up, or the rendered files.",
        source="the other form, read back",
    ),
    fatal(
        id="adopt-foreign-manager",
        title="somebody else wrote a field that adopting would change",
        why="Neither the installer nor FSM's programs: a person with kubectl, or another controller. Server-side apply refuses to take the field without being told to.",
        fix="Take the value into the stack file, or name the object in deployment.adopt.",
        hazard=("H20", "H24"),
        source="Kubernetes, server-side apply, conflicts",
    ),
    warning(
        id="adopt-changes-traffic",
        title="adopting would change what new pods redirect",
        why="The stack declares other lists than the MeshConfig that runs: pods differ after their restart.",
        fix="Convert the MeshConfig that runs (fsm-stack convert --cluster), or review the change.",
        hazard=("H20",),
        source="the injector's scripts of both MeshConfigs, compared",
    ),
    warning(
        id="adopt-leftover",
        title="a webhook configuration of FSM that the stack does not declare",
        why="FSM's chart leaves the old injector's webhook behind after an upgrade: with failurePolicy Fail, and nobody who renews it.",
        fix="Delete it, where no other mesh needs it.",
        hazard=("H23",),
        source="flomesh-io/fsm charts/fsm/templates, clean-up job",
    ),
    warning(
        id="helm-release-there",
        title="a Helm release still claims what the stack owns",
        why="helm uninstall deletes the objects of its manifest, whoever has changed or owns them since.",
        fix="Delete the release's Secrets after the adoption: Helm forgets it, and its objects stay.",
        source="helm pkg/action/uninstall.go",
    ),
    error(
        id="leftover-blocks-pods",
        title="a webhook is left over that refuses pods, because nobody answers for it",
        why="Its policy is Fail: while its server is gone, the API server refuses what it would ask about.",
        fix="Delete the webhook configuration first of all.",
        hazard=("H23",),
        source="flomesh-io/fsm pkg/injector/webhook.go, pkg/validator/patch.go",
    ),
    info(
        id="leftover-mesh-lives",
        title="a mesh is in the cluster: what is listed is not all left over",
        why="Its webhooks, namespaces and Secrets are in use.",
        fix="Remove the mesh first, as the documentation says under Uninstall.",
        source="the cluster's MeshConfigs",
    ),
    warning(
        id="leftover-found",
        title="something is left of a mesh that was removed",
        why="FSM's programs make objects that no uninstall removes; a next mesh finds them.",
        fix="Run the printed commands, in their order.",
        source="flomesh-io/fsm cmd/fsm-bootstrap, pkg/certificate",
    ),
)
