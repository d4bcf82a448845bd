"""From what a user asked to what checks read: the stack, the cluster or the files, the pods."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fsm_stack.edges.cluster import connect
from fsm_stack.edges.cluster_read import Reader, subject
from fsm_stack.edges.files import read_file, read_tree
from fsm_stack.edges.project import find_project
from fsm_stack.edges.snapshot_file import read_files
from fsm_stack.errors import CouldNotCheckError, FindingsError, InputError
from fsm_stack.iptables.read import read
from fsm_stack.systems import SYSTEMS, system
from fsm_stack.verify.check import Context
from fsm_stack.verify.expected import Expected, of_cluster, of_files, of_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.edges.cluster_read import Subject
    from fsm_stack.iptables.read import Reading
    from fsm_stack.verify.objects import Pod
    from fsm_stack.verify.snapshot import Snapshot

_RULES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked on the command line.

    Attributes:
        project_dir: where the project is looked for.
        stack: None: the cluster's own MeshConfig is what is expected.
        subject: ``pod/NAME`` or an owner; None: the whole mesh.
        namespace: of the subject; None: the context's.
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
    import yaml  # noqa: PLC0415  # only for --against

    directory = request.against or Path()
    tree = read_tree(directory)
    objects = []
    for name, content in tree.files.items():
        if name.endswith((".yaml", ".yml", ".json")):
            try:
                found = list(yaml.safe_load_all(content))
            except yaml.YAMLError as error:
                place = str(error).splitlines()[-1].strip()
                raise InputError(f"{directory}/{name}: not YAML: {place}") from None
            objects += [
                item for item in found if isinstance(item, dict) and item.get("kind")
                and isinstance(item.get("metadata"), dict)
            ]  # fmt: skip
    names = {item["metadata"].get("name") for item in objects if item["kind"] == "MeshConfig"}
    known = [one for one in SYSTEMS.values() if one.mesh_config_name in names]
    if not known:
        raise InputError(
            f"{directory}: no MeshConfig in it; expected what fsm-stack render writes"
        )
    chosen = system(request.system) if request.system else known[0]
    return of_files(objects, system=chosen, title=str(directory))


def context_of(request: Request, *, progress: Callable[[int], None] | None = None) -> Context:
    """Everything that checks read.

    Raises:
        InputError: another cluster than the stack's, or nothing of what was named is there.
        CouldNotCheckError: no cluster, or nothing tells what is expected.
    """
    expected = declared(request)
    if request.files:
        snapshot, asked = read_files(request.files), None
        if request.subject:
            asked = subject(request.subject, request.namespace or "")
    else:
        snapshot, asked = _live(request, expected, progress)
    if expected is None:
        expected = of_cluster(snapshot, system=system(request.system) if request.system else None)
    if expected is None:
        raise CouldNotCheckError(
            "no MeshConfig of FSM, osm-edge or OSM was read, and no STACK was named: nothing "
            f"tells what is expected{_unread(snapshot)}"
        )
    if request.files:
        require_same_cluster(expected, context=None, uid=snapshot.source.uid)
    return Context(
        snapshot=snapshot,
        expected=expected,
        now=datetime.now(UTC),
        pods=_chosen(snapshot, asked, expected),
        asked=str(asked) if asked else "",
        live_rules=_rules(request.rules),
    )


def _unread(snapshot: Snapshot) -> str:
    return "".join(f"; {part.value} {why}" for part, why in snapshot.not_read.items())


def _live(
    request: Request, expected: Expected | None, progress: Callable[[int], None] | None
) -> tuple[Snapshot, Subject | None]:
    cluster = connect(kubeconfig=request.kubeconfig, context=request.context)
    if expected is not None:
        require_same_cluster(expected, context=cluster.context, uid="")
    asked = (
        subject(request.subject, request.namespace or cluster.namespace)
        if request.subject
        else None
    )
    reader = Reader(cluster=cluster, progress=progress)
    uid = reader.uid()
    if expected is not None:
        require_same_cluster(expected, context=cluster.context, uid=uid)
        if expected.uid and not uid:
            raise CouldNotCheckError(
                f"the stack is meant for cluster {expected.uid}, and the account may not read "
                "namespace kube-system, whose UID identifies a cluster"
            )
    chosen = (expected.system,) if expected else tuple(SYSTEMS.values())
    if expected is None and request.system:
        chosen = (system(request.system),)
    snapshot = reader.snapshot(
        systems=chosen,
        namespace=expected.mesh.namespace if expected else None,
        asked=asked,
        uid=uid,
    )
    return snapshot, asked


def require_same_cluster(expected: Expected, *, context: str | None, uid: str) -> None:
    """Refuse another cluster than the one that the stack names.

    Raises:
        InputError: the context or the UID is another one.
    """
    if expected.context and context and expected.context != context:
        raise InputError(
            f"stack {expected.title} is meant for context {expected.context!r}, got {context!r}: "
            f"name it with --context {expected.context}, or correct cluster.context"
        )
    if expected.uid and uid and expected.uid != uid:
        raise InputError(
            f"stack {expected.title} is meant for the cluster whose namespace kube-system has UID "
            f"{expected.uid}, got {uid}: this is another cluster"
        )


def _chosen(snapshot: Snapshot, asked: Subject | None, expected: Expected) -> tuple[Pod, ...]:
    """The pods that were asked about; of the whole mesh, those of its namespaces.

    Raises:
        InputError: the files hold no such pod.
    """
    if asked is None:
        label, mesh = expected.system.monitored_by_label, expected.mesh.name
        enrolled = {
            name
            for name, item in snapshot.namespaces.items()
            if ((item.get("metadata") or {}).get("labels") or {}).get(label) == mesh
        }
        return tuple(
            pod for pod in snapshot.pods if not snapshot.namespaces or pod.namespace in enrolled
        )
    inside = [pod for pod in snapshot.pods if asked.namespace in {"", pod.namespace}]
    if asked.kind == "Pod":
        found = [pod for pod in inside if pod.name == asked.name]
    else:
        found = [
            pod
            for pod in inside
            if pod.owner and (pod.owner.kind, pod.owner.name) == (asked.kind, asked.name)
        ]
    if not found and snapshot.pods:
        raise InputError(f"{asked}: no such pod was read")
    return tuple(found)


def _rules(name: str | None) -> Reading | None:
    if name is None:
        return None
    if name == "-":
        return read(sys.stdin.read(_RULES_MAX))
    content = read_file(Path(name), limit=_RULES_MAX)
    if content is None:
        raise InputError(f"{name}: no such file")
    return read(content.decode(errors="replace"))
