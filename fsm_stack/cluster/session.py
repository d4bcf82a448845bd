"""From what a user asked to what checks read: the stack, the cluster or the files, the pods."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.cluster.connect import connect
from fsm_stack.cluster.read import Reader
from fsm_stack.cluster.snapshot_file import read_files
from fsm_stack.cluster.subject import (
    require_known,
    require_names,
    require_namespace,
    require_same_cluster,
    subject,
)
from fsm_stack.errors import CouldNotCheckError, FindingsError, InputError
from fsm_stack.findings.finding import harmless
from fsm_stack.iptables.read.text import read
from fsm_stack.manifests.manifest import without_sync_annotations
from fsm_stack.project.files import read_file, read_tree
from fsm_stack.project.project import find_project
from fsm_stack.snapshot.guess import guessed_system
from fsm_stack.snapshot.programs import RIGHTS_KINDS
from fsm_stack.snapshot.shape import misfits
from fsm_stack.snapshot.snapshot import IN_CLUSTER
from fsm_stack.systems import SYSTEMS, system
from fsm_stack.verify.check import Context, only_pod
from fsm_stack.verify.expected import Expected, of_cluster, of_files, of_stack
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.objects import object_at
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.cluster.subject import Subject
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System
    from fsm_stack.yaml.places import Path as Steps

_RULES_MAX: Final = 4 * 1024 * 1024
_NO_RULES: Final = "*nat\nCOMMIT\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked on the command line.

    Attributes:
        project_dir: where the project is looked for.
        stack: None: the cluster's own MeshConfig is what is expected.
        subject: ``pod/NAME`` or an owner; None: the whole mesh.
        namespace: of the subject; None: the context's. Without a subject all of its pods.
        context: of the kubeconfig.
        kubeconfig: a file.
        files: read instead of a cluster.
        against: a directory of rendered objects, instead of a stack.
        system: for a cluster or files that do not tell.
        rules: a file of iptables-save, ``-`` for standard input.
    """

    project_dir: Path = Path()
    stack: str | None = None
    subject: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    files: tuple[Path, ...] = ()
    against: Path | None = None
    system: str | None = None
    rules: str | None = None


def declared(request: Request) -> Expected | None:
    """What the stack or the rendered files declare; None: neither was named.

    Raises:
        InputError: both were named, or there is no such stack or directory.
        FindingsError: the stack file has errors that leave no settings.
    """
    if request.stack is not None and request.against is not None:
        raise InputError("--against and a STACK: expected one of the two")
    if request.stack is not None:
        project = find_project(request.project_dir)
        (name,) = project.chosen((request.stack,))
        stack = project.load(name)
        if stack.settings is None:
            raise FindingsError(stack.findings)
        return of_stack(stack.settings, title=f"{name}, {stack.file}")
    return _rendered(request) if request.against is not None else None


def _rendered(request: Request) -> Expected:
    directory = request.against or Path()
    tree = read_tree(directory)
    objects = [
        item
        for name, content in tree.files.items()
        if name.endswith((".yaml", ".yml", ".json"))
        for item in _manifests(f"{directory}/{name}", content)
    ]
    names = {item["metadata"].get("name") for item in objects if item["kind"] == "MeshConfig"}
    known = [one for one in SYSTEMS.values() if one.mesh_config_name in names]
    if not known:
        raise InputError(
            f"{directory}: no MeshConfig in it; expected what fsm-stack render writes"
        )
    chosen = system(request.system) if request.system else known[0]
    applicable = str(directory) if "kustomization.yaml" in tree.files else ""
    return of_files(objects, system=chosen, title=str(directory), directory=applicable)


def _manifests(file: str, content: bytes) -> Iterator[dict[str, Any]]:
    """The objects of a rendered file.

    Raises:
        InputError: it cannot be decoded, or a value is of another type than Kubernetes has there.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: expected UTF-8 text ({error.reason})") from None
    for document in split(io.StringIO(text), file=file):
        item = document.load()
        if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
            continue
        texts = (("kind",), ("metadata", "name"), ("metadata", "namespace"))
        odd = [
            (path, "text", found)
            for path in texts
            if not isinstance(found := object_at(item, path[:-1]).get(path[-1]), str | None)
        ]
        for path, expected, found in (*odd, *_misfits(item)):
            line, _ = document.places().get(path, (document.line, 1))
            what = f"expected {expected} as {path_text(path)}"
            raise InputError(f"{file}:{line}: {what}, got {harmless(str(found)[:40])}")
        if item.get("kind"):
            yield without_sync_annotations(item)


def _misfits(item: dict[str, Any]) -> Iterator[tuple[Steps, str, object]]:
    """The names in a CRD's schema are those of fields that others have."""
    return iter(()) if item.get("kind") == "CustomResourceDefinition" else misfits(item)


def context_of(request: Request, *, progress: Callable[[int], None] | None = None) -> Context:
    """Everything that checks read.

    Raises:
        InputError: another cluster than the stack's, or nothing of what was named is there.
        CouldNotCheckError: no cluster, or nothing tells what is expected.
    """
    expected = declared(request)
    if request.files:
        snapshot = read_files(request.files, progress=progress)
        require_names(snapshot, expected)
        asked = _asked(request, "")
    else:
        snapshot, asked = _live(request, expected, progress)
    if expected is None:
        expected = of_cluster(snapshot, system=_system(request, snapshot))
    if expected is None:
        raise CouldNotCheckError(f"{_nothing_expected(snapshot)}{_unread(snapshot)}")
    if request.files:
        source = snapshot.source
        require_same_cluster(expected, context=source.kubectl_context, uid=source.uid)
    pods = _chosen(snapshot, asked, expected)
    if request.rules is not None:  # they are of one pod's network namespace
        pods = (only_pod(pods, "--rules"),)
    return Context(
        snapshot=snapshot,
        expected=expected,
        now=datetime.now(UTC),
        pods=pods,
        asked=str(asked) if asked else "",
        live_rules=_rules(request.rules),
    )


def _system(request: Request, snapshot: Snapshot) -> System | None:
    """Whose mesh it is, where that is said, or makes no difference: events, logs, owners."""
    if request.system:
        return system(request.system)
    of_a_mesh = snapshot.pods or snapshot.namespaces or snapshot.mesh_configs
    told = snapshot.texts or snapshot.events or snapshot.owners
    return guessed_system(snapshot) or (None if of_a_mesh or not told else system("fsm"))


def _asked(request: Request, namespace: str) -> Subject | None:
    """What was asked about; a namespace alone means all of its pods."""
    if request.subject:
        return subject(request.subject, request.namespace or namespace)
    return subject(f"namespace/{request.namespace}", "") if request.namespace else None


def _nothing_expected(snapshot: Snapshot) -> str:
    names = sorted(str((item.get("metadata") or {}).get("name")) for item in snapshot.mesh_configs)
    if len(names) > 1:
        return (
            f"MeshConfigs of several meshes were read ({', '.join(map(harmless, names))}): name a "
            "STACK, or one mesh with --system"
        )
    return (
        "no MeshConfig of FSM, osm-edge or OSM was read, and no STACK was named: nothing tells "
        "what is expected; name the mesh with --system"
    )


def _unread(snapshot: Snapshot) -> str:
    return "".join(f"; {part.value} {why}" for part, why in snapshot.not_read.items())


def _live(
    request: Request, expected: Expected | None, progress: Callable[[int], None] | None
) -> tuple[Snapshot, Subject | None]:
    cluster = connect(kubeconfig=request.kubeconfig, context=request.context)
    place = "" if cluster.context == IN_CLUSTER else cluster.context
    if expected is not None:
        require_same_cluster(expected, context=place, uid="")
    asked = _asked(request, cluster.namespace)
    reader = Reader(cluster=cluster, progress=progress)
    uid = reader.uid()
    if expected is not None:
        require_same_cluster(expected, context=place, uid=uid)
        require_known(expected, context=place, uid=uid)
    chosen = (expected.system,) if expected else tuple(SYSTEMS.values())
    if expected is None and request.system:
        chosen = (system(request.system),)
    snapshot = reader.snapshot(
        systems=chosen,
        namespace=expected.mesh.namespace if expected else None,
        declared=expected.namespaces if expected else (),
        rights=[key for key in expected.objects if key[0] in RIGHTS_KINDS] if expected else (),
        asked=asked,
        uid=uid,
    )
    return snapshot, asked


def _chosen(snapshot: Snapshot, asked: Subject | None, expected: Expected) -> tuple[Pod, ...]:
    """The pods that were asked about; of the whole mesh, those of its namespaces.

    Raises:
        InputError: the files hold no such pod.
    """
    if asked is None:
        label, mesh = expected.system.monitored_by_label, expected.mesh.name
        enrolled = set(expected.namespaces) | {
            name
            for name, item in snapshot.namespaces.items()
            if ((item.get("metadata") or {}).get("labels") or {}).get(label) == mesh
        }
        return tuple(
            pod for pod in snapshot.pods if not snapshot.namespaces or pod.namespace in enrolled
        )
    inside = [pod for pod in snapshot.pods if asked.namespace in {"", pod.namespace}]
    if asked.kind == "Namespace":
        if not inside:
            require_namespace(asked, snapshot, expected)
        return tuple(inside)
    if asked.kind == "Pod":
        found = [pod for pod in inside if pod.name == asked.name]
    else:
        found = [pod for pod in inside if _owned(pod, asked)]
    if not found and snapshot.pods:
        raise InputError(f"{asked}: no such pod was read")
    return tuple(found)


def _owned(pod: Pod, asked: Subject) -> bool:
    owner = pod.owner
    if owner is None:
        return False
    if asked.kind == "ReplicaSet" and owner.kind == "Deployment":
        return (
            pod.name.rpartition("-")[0] == asked.name
        )  # its pods' names are its own and 5 letters
    return (owner.kind, owner.name) == (asked.kind, asked.name)


def _rules(name: str | None) -> Reading | None:
    if name is None:
        return None
    if name == "-":
        return _reading(sys.stdin.read(_RULES_MAX))
    content = read_file(Path(name), limit=_RULES_MAX)
    if content is None:
        raise InputError(f"{name}: no such file")
    return _reading(content.decode(errors="replace"))


def _reading(text: str) -> Reading:
    """What iptables-save printed; a kernel without any nat rule prints nothing, or comments."""
    lines = (line.strip() for line in text.splitlines())
    return read(text if any(line and line[0] != "#" for line in lines) else _NO_RULES)
