"""What Argo CD and Flux are told: ignored differences, and the ``kustomization.yaml``.

Source: Argo CD "Diff Customization", ``ignoreDifferences`` and ``jqPathExpressions``; the sync
option ``RespectIgnoreDifferences``.

It lists the objects' files, so the files beside them (scripts, annotations to paste) are never
taken for objects. The objects' own files are what ``pulumi up`` sends, to the letter; what only
GitOps controllers need to know stands here as patches of annotations:

- An enrolled namespace, and any object of others, is merged by server-side apply and never
  deleted: leaving the list must not delete the namespace with all that runs in it.
- An object that a destroyed stack keeps (a CRD, and with it all mesh policies) is not pruned.
- Flux makes the CRD where it is absent, and leaves it alone then: bootstrap replaces its versions
  by those of its release, and Flux would put ours back at every interval.
- Namespaces are enrolled in a later sync wave of Argo CD, when the injector answers. Flux has no
  order within one Kustomization; it retries.

Sources: Argo CD "Sync Options" and "Sync Phases and Waves"; Flux Kustomization API,
"Controlling the apply behavior of resources"; kustomize v5 ``sortOptions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import Wave
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.manifests.manifest import Manifest


ARGO_FILE: Final = "argocd-ignore-differences.yaml"
_ARGO_NOTE: Final = (
    "# Written by fsm-stack render: fields that FSM's own programs write.\n"
    "# Belongs under spec of the Argo CD Application of this directory.\n"
)


def jq_path(path: str) -> str:
    """A Pulumi property path as a jq expression: ``webhooks[*].x`` is ``.webhooks[]?.x``."""
    return f".{path.replace('[*]', '[]?')}"


def ignored_differences(manifests: Iterable[Manifest]) -> str:
    """The part of an Application's ``spec`` that names foreign-written fields; "" without any."""
    entries: list[dict[str, Any]] = []
    for manifest in manifests:
        if not manifest.foreign_paths:
            continue
        entry: dict[str, Any] = {
            "group": manifest.api_version.rpartition("/")[0],
            "kind": manifest.kind,
            "name": manifest.name,
            "jqPathExpressions": [jq_path(path) for path in manifest.foreign_paths],
        }
        entries.append(entry)
    if not entries:
        return ""
    options = {"syncOptions": ["ServerSideApply=true", "RespectIgnoreDifferences=true"]}
    return _ARGO_NOTE + dump({"ignoreDifferences": entries, "syncPolicy": options})


KUSTOMIZATION_FILE: Final = "kustomization.yaml"
_KUSTOMIZATION_NOTE: Final = (
    "# Written by fsm-stack render. Argo CD and Flux find this file by its name;\n"
    "# by hand: kubectl apply --server-side -k . (again the first time, once the CRD is there;\n"
    "# later its conflict with fsm-bootstrap over .spec.versions is right, the rest is applied)\n"
)


def kustomization(manifests: Mapping[str, Manifest]) -> str:
    """The file's text.

    Args:
        manifests: the objects by their file's path, in the order in which they are applied.
    """
    document: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(manifests),
    }
    patches = [
        {"patch": dump(_annotated(manifest, notes))}
        for manifest in manifests.values()
        if (notes := _annotations(manifest))
    ]
    if patches:
        document["patches"] = patches
    return _KUSTOMIZATION_NOTE + dump(document)


def _annotations(manifest: Manifest) -> dict[str, str]:
    notes: dict[str, str] = {}
    if manifest.wave is Wave.ENROLMENT:
        notes["argocd.argoproj.io/sync-wave"] = "1"
    enrolment = manifest.wave is Wave.ENROLMENT  # the namespace holds others' workloads
    if manifest.patch or manifest.retain or enrolment:
        merge = ",ServerSideApply=true" if manifest.patch or enrolment else ""
        notes["argocd.argoproj.io/sync-options"] = f"Prune=false,Delete=false{merge}"
        notes["kustomize.toolkit.fluxcd.io/prune"] = "disabled"
    if manifest.patch or enrolment:
        notes["kustomize.toolkit.fluxcd.io/ssa"] = "Merge"
    elif manifest.wave is Wave.CRD:
        notes["kustomize.toolkit.fluxcd.io/ssa"] = "IfNotPresent"
    return notes


def _annotated(manifest: Manifest, notes: dict[str, str]) -> dict[str, Any]:
    namespace = {"namespace": manifest.namespace} if manifest.namespace else {}
    return {
        "apiVersion": manifest.api_version,
        "kind": manifest.kind,
        "metadata": {"name": manifest.name, **namespace, "annotations": notes},
    }
