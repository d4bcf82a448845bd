"""Findings about what stands around the application: other injectors, admission, other meshes."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

_INJECTOR: Final = "pkg/injector of flomesh-io/fsm, flomesh-io/osm-edge and openservicemesh/osm"

RULES: Final = (
    Rule(
        id="init-redirected",
        severity="warning",
        title="an init container runs behind the mesh's",
        why="Its connections are redirected to the sidecar, which starts only after the last init container: what needs the network hangs, and the pod never starts.",
        fix="Let it run first, exclude the port that it asks, run it as the sidecar's user, or do its work in the application.",
        hazard=("H27",),
        source="Kubernetes, init containers; the rules of the init container",
    ),
    Rule(
        id="never-completes",
        severity="warning",
        title="a pod that is to end gets a sidecar that does not",
        why="A pod is complete when all of its containers have ended. The sidecar runs on: a Job stays active, and a CronJob that forbids overlaps never runs again.",
        fix="Take the pod out of the mesh, or end the sidecar with the application.",
        hazard=("H28",),
        source="Kubernetes, pod lifecycle; the sidecar is an ordinary container",
    ),
    Rule(
        id="probe-added-later",
        severity="warning",
        title="another injector's probe asks a port that is redirected",
        why="A webhook that is asked later adds a container whose probes nobody rewrites: the kubelet's connection ends at the sidecar, and the container is restarted again and again.",
        fix="Exclude the probe's port from inbound redirection.",
        hazard=("H29",),
        source=f"{_INJECTOR}; Kubernetes asks webhooks in the order of their names",
    ),
    Rule(
        id="pod-security",
        severity="error",
        title="the namespace's pod security refuses the injected pod",
        why="The init container adds the capability NET_ADMIN. The levels baseline and restricted allow it to nobody, so no pod is created.",
        fix="Label the namespace pod-security.kubernetes.io/enforce: privileged, or keep its pods out of the mesh.",
        hazard=("H30",),
        source="Kubernetes, pod security standards",
        acceptable=False,
    ),
    Rule(
        id="annotation-overwritten",
        severity="warning",
        title="the injector overwrites an annotation of the pod",
        why="With metrics enabled for the namespace it writes prometheus.io/scrape, port and path of the sidecar; there is one of each, so the application is scraped no more.",
        fix="Scrape the application by other means (a PodMonitor, a scrape job of its own), or disable metrics for the namespace.",
        source=_INJECTOR,
    ),
    Rule(
        id="docker-in-docker",
        severity="warning",
        title="a Docker engine inside of the pod",
        why="Its containers' connections enter the pod's network namespace through a bridge. The rules take what enters for inbound traffic, and the sidecar resets it.",
        fix="Exclude the bridge's interface, or keep the pod out of the mesh.",
        source="the rules in PREROUTING",
    ),
    Rule(
        id="annotation-as-label",
        severity="error",
        title="an annotation of the mesh's stands among the labels",
        why="The injector reads annotations: a label of the same name is silently ignored.",
        fix="Move it to the annotations.",
        source=_INJECTOR,
        acceptable=False,
    ),
    Rule(
        id="label-as-annotation",
        severity="error",
        title="a label of the mesh's stands among the annotations",
        why="The webhook selects namespaces by their labels: an annotation of the same name is silently ignored.",
        fix="Move it to the labels.",
        source=_INJECTOR,
        acceptable=False,
    ),
    Rule(
        id="label-other-mesh",
        severity="error",
        title="a namespace names this mesh in another system's label",
        why="The webhook asks for this system's label: no pod of the namespace is injected.",
        fix="Write the label with this system's prefix.",
        source=_INJECTOR,
        acceptable=False,
    ),
    Rule(
        id="foreign-mesh-key",
        severity="warning",
        title="a key of Istio, Linkerd, Kuma or Consul",
        why="This mesh's programs do not read it: what it asks for does not happen.",
        fix="Write this mesh's own key, where it has one.",
        source="the references of annotations of Istio, Linkerd, Kuma and Consul",
    ),
)
