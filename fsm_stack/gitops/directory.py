"""The files of a rendered stack, and what Argo CD and Flux are told about them.

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

::

    rendered/dev/
      kustomization.yaml                      what a GitOps controller applies
      .fsm-stack.files                        the files that this program wrote
      0-namespace/namespace-fsm-system.yaml   one object a file, a directory a wave
      …
      6-enrolment/namespace-bookstore.yaml
      redirection/mesh.sh                     scripts and annotations, for the review

An enrolled namespace that exists already is written as a partial Namespace: only the fields that
are ours. Server-side apply merges it into the namespace; a client-side apply or a replace of it is
harmless too, since it names no field of others.

The same stack gives the same bytes. The directory is replaced as a whole, and in one step
(:func:`fsm_stack.gitops.replace.replace_tree`); files that are no longer part of the stack go with
it. A file in it that this program did not write stops the run: it is not ours to delete.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.gitops.replace import alone, is_draft, replace_tree
from fsm_stack.manifests.manifest import Wave
from fsm_stack.project.files import Tree, read_tree, told
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

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


MARKER: Final = ".fsm-stack.files"
REDIRECTION: Final = "redirection"
_MARKER_NOTE: Final = "# Written by fsm-stack render, which replaces and removes these files:\n"
# Kubernetes names hold more than file systems take (system:auth); '%' is in none of them.
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a run did to a stack's directory: relative paths, sorted."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether the directory held nothing before."""
        return len(self.created) == self.total and not self.removed

    @property
    def total(self) -> int:
        """The files that the directory holds now."""
        return len(self.created) + len(self.changed) + len(self.unchanged)


def named(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Every object under its file's path, in the order of creation.

    ``<wave>-<name of the wave>/<kind>-<name>.yaml``; two objects that would share a file get their
    namespace and API group into its name: ``role-fsm@blue.rbac.authorization.k8s.io.yaml``.

    Raises:
        ValueError: for two objects with the same identity; a defect of ours.
    """
    known = tuple(manifests)
    shared = Counter(_path(manifest).casefold() for manifest in known)
    paths = {
        _path(manifest, full=shared[_path(manifest).casefold()] > 1): manifest
        for manifest in known
    }
    if len(paths) != len(known):
        raise ValueError("two manifests have the same kind, namespace and name")
    return paths


def _path(manifest: Manifest, *, full: bool = False) -> str:
    wave = manifest.wave.name.lower().replace("_", "-")
    name = f"{manifest.kind.lower()}-{_safe(manifest.name)}"
    if full:
        group = manifest.api_version.rpartition("/")[0]
        name = f"{name}@{_safe(manifest.namespace or '')}" + (f".{group}" if group else "")
    return f"{int(manifest.wave)}-{wave}/{name}.yaml"


def _safe(name: str) -> str:
    return _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", name)


def tree(
    manifests: Iterable[Manifest],
    redirection: Mapping[str, str],
    *,
    unknown: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """Every file of a stack's directory, by relative path.

    Args:
        manifests: what :func:`fsm_stack.manifests.bundle.bundle` returned.
        redirection: what :meth:`fsm_stack.redirection.Redirection.files` returned.
        unknown: objects' files whose content is not known here: listed, but not returned.
    """
    objects = named(manifests)
    texts = {
        path: dump(manifest.object) for path, manifest in objects.items() if path not in unknown
    }
    texts |= {f"{REDIRECTION}/{path}": text for path, text in redirection.items()}
    texts[KUSTOMIZATION_FILE] = kustomization(objects)
    if ignored := ignored_differences(objects.values()):
        texts[ARGO_FILE] = ignored
    texts[MARKER] = _MARKER_NOTE + "\n".join(sorted({*texts, *unknown})) + "\n"
    return {path: texts[path].encode() for path in sorted(texts)}


def write(target: Path, files: Mapping[str, bytes], *, shown: str) -> Written:
    """Make a stack's directory hold these files, all of them or, on any failure, none.

    Args:
        target: ``rendered/<stack>``.
        files: what :func:`tree` returned.
        shown: the directory as messages name it.

    Raises:
        InputError: when the directory holds something that this program did not write.
        FileError: when the operating system refuses.
    """
    with alone(target, shown=shown):
        return _written(target, files, shown)


def _written(target: Path, files: Mapping[str, bytes], shown: str) -> Written:
    there = read_tree(target, shown=shown)
    strangers = foreign(there, files)
    if strangers:
        more = f" and {len(strangers) - _SHOWN} more" if len(strangers) > _SHOWN else ""
        raise InputError(
            f"{shown}: {', '.join(strangers[:_SHOWN])}{more}: not written by fsm-stack; "
            "expected a directory of its own, move these files away"
        )
    done = compare(there.files, files)
    if done.created or done.changed or done.removed:
        replace_tree(target, files)
    return done


def orphans(root: Path, stacks: Iterable[str]) -> tuple[str, ...]:
    """The directories below ``rendered`` that this program wrote and that no stack has any more.

    A controller would go on applying them.
    """
    with told("read", root):
        names = {path.parent.name for path in root.glob(f"*/{MARKER}")}
    return tuple(sorted(name for name in names.difference(stacks) if not is_draft(name)))


def compare(there: Mapping[str, bytes], files: Mapping[str, bytes]) -> Written:
    """What writing ``files`` over ``there`` does."""
    both = there.keys() & files.keys()
    same = {path for path in both if there[path] == files[path]}
    return Written(
        created=tuple(sorted(files.keys() - there.keys())),
        changed=tuple(sorted(both - same)),
        removed=tuple(sorted(there.keys() - files.keys())),
        unchanged=tuple(sorted(same)),
    )


def foreign(there: Tree, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the directory holds and this program did not write.

    A file is ours when the list of our files names it, or when it is what we would write.
    """
    listed = set(there.files.get(MARKER, b"").decode(errors="replace").splitlines())
    ours = {MARKER, *listed}
    strange = {
        path
        for path, content in there.files.items()
        if path not in ours and files.get(path) != content
    }
    return tuple(sorted(strange.union(there.others)))
