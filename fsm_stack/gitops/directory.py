"""The files of a rendered stack.

::

    rendered/dev/
      .fsm-stack.files                        the files that this program wrote
      kustomization.yaml                      the objects for kustomize, in the order of creation
      objects/                                manifests, and nothing else
        0-namespace/namespace-fsm-system.yaml one object a file, a directory a wave
        …
        6-enrolment/namespace-bookstore.yaml
      others/                                 what the owners of namespaces merge into them
      argo-cd/ flux/                          what their own objects are told, as components
      redirection/mesh.sh                     scripts and annotations, for the review

So a reader of plain directories takes ``objects`` as it is, and kustomize the whole. An object is
what ``pulumi up`` sends, with annotations for the controllers (:mod:`.controllers`). A tree that
cannot run says so in the first object's file, and in the kustomization.

An object that exists already and belongs to others, such as an enrolled namespace, is written as a
partial one: only the fields that are ours. It lies among the objects only where the settings ask
for it: a controller would count it as its own. Server-side apply merges it; a client-side apply or
a replace of it is harmless too, since it names no field of others.

The same stack gives the same bytes. The directory is replaced as a whole, and in one step
(:func:`fsm_stack.gitops.replace.replace_tree`); files that are no longer part of the stack go with
it. A file in it that this program did not write stops the run: it is not ours to delete.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError, few
from fsm_stack.gitops.controllers import (
    KUSTOMIZATION_FILE,
    annotated,
    components,
    kustomization,
)
from fsm_stack.gitops.replace import alone, is_draft, replace_tree
from fsm_stack.project.files import OBJECTS, OTHERS, REDIRECTION, Tree, read_tree, told
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fsm_stack.manifests.manifest import Manifest


MARKER: Final = ".fsm-stack.files"
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


def named(manifests: Iterable[Manifest], *, whole: bool = False) -> dict[str, Manifest]:
    """Every object under its file's path, in the order of creation.

    ``objects/<wave>-<name of the wave>/<kind>-<name>.yaml``; two objects that would share a file
    get their namespace and API group into its name:
    ``role-fsm@blue.rbac.authorization.k8s.io.yaml``.

    Args:
        manifests: the objects.
        whole: what belongs to others lies among them, not beside.

    Raises:
        ValueError: for two objects with the same identity; a defect of ours.
    """
    known = tuple(manifests)
    shared = Counter(_path(manifest).casefold() for manifest in known)
    paths = {
        _path(manifest, full=shared[_path(manifest).casefold()] > 1, whole=whole): manifest
        for manifest in known
    }
    if len(paths) != len(known):
        raise ValueError("two manifests have the same kind, namespace and name")
    return paths


def _path(manifest: Manifest, *, full: bool = False, whole: bool = True) -> str:
    wave = manifest.wave.name.lower().replace("_", "-")
    name = f"{manifest.kind.lower()}-{_safe(manifest.name)}"
    if full:
        group = manifest.api_version.rpartition("/")[0]
        name = f"{name}@{_safe(manifest.namespace or '')}" + (f".{group}" if group else "")
    if manifest.patch and not whole:
        return f"{OTHERS}/{name}.yaml"
    return f"{OBJECTS}/{int(manifest.wave)}-{wave}/{name}.yaml"


def _safe(name: str) -> str:
    return _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", name)


def tree(
    objects: Mapping[str, Manifest],
    redirection: Mapping[str, str],
    *,
    note: str = "",
    unknown: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """Every file of a stack's directory, by relative path.

    Args:
        objects: what :func:`named` made of the bundle.
        redirection: what :meth:`fsm_stack.redirection.Redirection.files` returned.
        note: why the objects cannot run, as lines of comment.
        unknown: objects' files whose content is not known here: listed, but not returned.
    """
    applied = [path for path in objects if path.startswith(f"{OBJECTS}/")]
    texts = {path: dump(annotated(objects[path])) for path in applied if path not in unknown}
    texts[applied[0]] = note + texts[applied[0]]
    texts |= {path: dump(objects[path].object) for path in objects if path not in applied}
    texts |= {f"{REDIRECTION}/{path}": text for path, text in redirection.items()}
    texts[KUSTOMIZATION_FILE] = kustomization(applied, note)
    texts |= components(objects[path] for path in applied)
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
        raise InputError(
            f"{shown}: {few(strangers, _SHOWN)}: not written by fsm-stack; "
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
