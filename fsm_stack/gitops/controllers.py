"""What GitOps controllers are told: order, what is never deleted, which fields others write.

Source: Argo CD "Sync Options", "Sync Phases and Waves", "Diff Customization"; Flux Kustomization
API, "Controlling the apply behavior of resources" and ``spec.ignore``; kustomize v5 components.

What concerns one object stands in its annotations, so that it holds however the files are read:

- Argo CD applies in the waves of :class:`Wave` and waits for each, but for the last: there is what
  needs the running mesh or its pods' metrics to be healthy. Flux has no order within one
  Kustomization: one of each wave's folder, with ``dependsOn``, has.
- A Namespace or a CRD is never pruned, nor deleted with the Application: with it would go all
  that runs in it, or all mesh policies.
- A namespace that holds others' workloads is merged, and so is an object that FSM's programs write
  to: Flux then leaves alone what they added, such as bootstrap's annotation of the MeshConfig.
- Flux makes the CRD where it is absent, and leaves it alone then: bootstrap replaces its versions
  by those of its release, and Flux would put ours back at every interval.

What concerns fields stands in the controller's own object, which lies where its owner wants it:
a kustomize component patches it there, so that nobody pastes a list that changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import Wave
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.manifests.manifest import Manifest

KUSTOMIZATION_FILE: Final = "kustomization.yaml"
ARGO_CD: Final = "argo-cd"
FLUX: Final = "flux"
_APPLICATION: Final = ("argoproj.io/v1alpha1", "Application")
_FLUX_KUSTOMIZATION: Final = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
# Nobody waits for Argo CD's last wave.
_LAST_WAVE: Final = max(Wave) + 1
_NEVER_DELETED: Final = frozenset({"Namespace", "CustomResourceDefinition"})
_KUSTOMIZATION_NOTE: Final = (
    "# Written by fsm-stack render. Argo CD and Flux find this file by its name; by hand:\n"
    "# kubectl apply --server-side -k . (again the first time, once the CRD is there;\n"
    "# later its conflict with fsm-bootstrap over .spec.versions is right, the rest is applied)\n"
)
_COMPONENT_NOTE: Final = (
    "# Written by fsm-stack render: fields that FSM's own programs write. The kustomization of\n"
    "# your {kind} names this folder under components, which patches it.\n"
)
# The steps of a property path: a quoted key, every item of a list, or a name.
_STEP: Final = re.compile(r'\["(?P<key>[^"]+)"\]|(?P<each>\[\*\])|(?P<name>[^.\[]+)')


def annotated(manifest: Manifest) -> dict[str, Any]:
    """The object as its file holds it: what ``pulumi up`` sends, and these annotations."""
    item = dict(manifest.object)
    about = dict(item["metadata"])
    about["annotations"] = {**about.get("annotations", {}), **_annotations(manifest)}
    return {**item, "metadata": about}


def _annotations(manifest: Manifest) -> dict[str, str]:
    wave = _LAST_WAVE if _healthy_later(manifest) else manifest.wave
    notes = {"argocd.argoproj.io/sync-wave": str(int(wave))}
    shared = manifest.patch or manifest.wave is Wave.ENROLMENT  # it holds others' workloads
    options = ["Prune=false", "Delete=false"] if manifest.kind in _NEVER_DELETED else []
    if shared:
        options.append("ServerSideApply=true")
    if options:
        notes["argocd.argoproj.io/sync-options"] = ",".join(options)
    if manifest.kind in _NEVER_DELETED:
        notes["kustomize.toolkit.fluxcd.io/prune"] = "disabled"
    if manifest.kind == "CustomResourceDefinition":
        notes["kustomize.toolkit.fluxcd.io/ssa"] = "IfNotPresent"
    elif shared or manifest.foreign_paths:
        notes["kustomize.toolkit.fluxcd.io/ssa"] = "Merge"
    return notes


def _healthy_later(manifest: Manifest) -> bool:
    """Whether Argo CD calls the object unhealthy while the mesh comes up: it would wait, or fail.

    An autoscaler is degraded until its pods' first metrics are there; a load balancer has an
    address when somebody gives it one, which may be FSM's own controller.
    Source: gitops-engine pkg/health, health_hpa.go and health_service.go.
    """
    if manifest.kind == "Service":
        return bool(manifest.object["spec"].get("type") == "LoadBalancer")
    return manifest.kind == "HorizontalPodAutoscaler"


def kustomization(paths: Iterable[str], note: str = "") -> str:
    """The tree's own kustomization.

    Args:
        paths: the objects' files, in the order in which they are applied.
        note: lines of comment for its head.
    """
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(paths),
    }
    return note + _KUSTOMIZATION_NOTE + dump(document)


def components(manifests: Iterable[Manifest]) -> dict[str, str]:
    """The kustomize components of both controllers, by path; none without foreign writers."""
    foreign = [manifest for manifest in manifests if manifest.foreign_paths]
    if not foreign:
        return {}
    options = ["ServerSideApply=true", "RespectIgnoreDifferences=true"]
    argo = {
        "ignoreDifferences": [
            {
                "group": _group(manifest),
                "kind": manifest.kind,
                "name": manifest.name,
                "jqPathExpressions": [jq_path(path) for path in manifest.foreign_paths],
            }
            for manifest in foreign
        ],
        "syncPolicy": {"syncOptions": options},
    }
    flux = {
        "ignore": [
            {
                "target": {
                    "group": _group(manifest),
                    "kind": manifest.kind,
                    "name": manifest.name,
                },
                "paths": [
                    pointer
                    for path in manifest.foreign_paths
                    for pointer in json_pointers(path, manifest.object)
                ],
            }
            for manifest in foreign
        ]
    }
    return {
        f"{ARGO_CD}/{KUSTOMIZATION_FILE}": _component(*_APPLICATION, spec=argo),
        f"{FLUX}/{KUSTOMIZATION_FILE}": _component(*_FLUX_KUSTOMIZATION, spec=flux),
    }


def _component(version: str, kind: str, *, spec: dict[str, Any]) -> str:
    patch = {"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": spec}
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [
            {
                "target": {"group": version.rpartition("/")[0], "kind": kind},
                "patch": dump(patch),
            }
        ],
    }
    return _COMPONENT_NOTE.format(kind=kind) + dump(document)


def _group(manifest: Manifest) -> str:
    return manifest.api_version.rpartition("/")[0]


def jq_path(path: str) -> str:
    """A Pulumi property path as a jq expression: ``webhooks[*].x`` is ``.webhooks[]?.x``."""
    return f".{path.replace('[*]', '[]?')}"


def json_pointers(path: str, item: Any) -> tuple[str, ...]:  # noqa: ANN401  # decoded JSON
    """A Pulumi property path as JSON pointers (RFC 6901), one for each item of a declared list."""
    return tuple(_pointers(list(_STEP.finditer(path)), item))


def _pointers(steps: list[re.Match[str]], item: Any) -> Iterator[str]:  # noqa: ANN401
    if not steps:
        yield ""
        return
    first, rest = steps[0], steps[1:]
    if first["each"]:
        for index, one in enumerate(item if isinstance(item, list) else ()):
            yield from (f"/{index}{tail}" for tail in _pointers(rest, one))
        return
    key = first["key"] or first["name"]
    known = item.get(key) if isinstance(item, dict) else None
    name = key.replace("~", "~0").replace("/", "~1")
    yield from (f"/{name}{tail}" for tail in _pointers(rest, known))
