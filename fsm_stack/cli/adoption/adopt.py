"""``fsm-stack adopt`` and ``leftovers``: taking an installation over, leaving without a trace."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.adoption.convert import read_text_input
from fsm_stack.cli.verb import (
    StackName,
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    output_option,
    project_option,
    stops,
)
from fsm_stack.cli.verify import cluster_options

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from fsm_stack.convert.adopt import Adopted, Adoption, Difference
    from fsm_stack.convert.chart.release import Release
    from fsm_stack.convert.remains import Remains
    from fsm_stack.manifests.manifest import Key, Manifest
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml import Json

_WORDS: Final = {"missing": "would be made", "same": "as declared", "patched": "written into only"}


@click.command(cls=Verb, short_help="Say what taking an installation over would change.")
@click.argument("stack", type=StackName(), metavar="STACK")
@click.option("--check", is_flag=True, help="Only look; the default.")
@click.option("--write", is_flag=True, help="Name the objects in the stack file.")
@click.option("--from", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Read kubectl's YAML or JSON instead of a cluster.")  # fmt: skip
@cluster_options
@output_option
@project_option
def adopt(
    stack: str, *, check: bool, write: bool, files: tuple[Path, ...], project_dir: Path,
    **options: Any,  # noqa: ANN401  # the cluster's
) -> None:  # fmt: skip
    """Compare every object that STACK declares with what is installed, before pulumi up takes it.

    Which objects match, differ and how, or are missing; who wrote what differs; whether the
    scripts of any class of pods change; whether a Helm release still claims the objects. With
    --write the objects that can be taken are named in the stack file, deployment.adopt. The
    cluster is only read. Exit code 1: somebody else's fields stand in the way.
    """
    from fsm_stack.cli.workload.workloads import settings_of
    from fsm_stack.convert.adopt import adoption
    from fsm_stack.manifests.bundle import bundle
    from fsm_stack.redirection.scopes import redirection

    if check and write:
        raise click.UsageError("--check and --write: expected one of the two")
    settings = settings_of(project_dir, stack)
    manifests = bundle(settings, redirection(settings), asset=_asset(project_dir, settings))
    there = _there(settings, manifests, files, options)
    result = adoption(
        settings,
        manifests,
        there.objects,
        releases=there.releases,
        annotations=there.annotations,
        webhooks=there.webhooks,
    )
    written = _write(project_dir, stack, result.names) if write else ""
    emit(_plain(result, written), _lines(result, written, stack))
    leave(failed=stops(result.findings, "error"))


def _asset(project_dir: Path, settings: StackSettings) -> Any:  # noqa: ANN401  # imported when used
    from fsm_stack.manifests.release import wants_asset
    from fsm_stack.project.project import find_project
    from fsm_stack.project.release_asset import asset_of

    if not wants_asset(settings):
        return None
    return asset_of(find_project(project_dir).directory, settings)


@dataclass(slots=True)
class _There:
    """What is installed: objects, Helm's records, annotations of pods, webhooks."""

    objects: dict[Key, Json] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    annotations: dict[str, dict[str, str]] = field(default_factory=dict)
    webhooks: list[Json] = field(default_factory=list)

    def add(self, item: Json, namespaces: Container[str]) -> None:
        """Take an object of a file."""
        from fsm_stack.convert.chart.release import is_release, read_release
        from fsm_stack.convert.result import at
        from fsm_stack.snapshot.shape import texts

        kind, place = str(item.get("kind")), str(at(item, "metadata.namespace") or "")
        name = str(at(item, "metadata.name"))
        if is_release(item):
            self.releases.append(read_release(item, name=name))
        elif kind == "Pod" and place in namespaces:
            self.annotations[f"{place}/{name}"] = texts(at(item, "metadata.annotations"))
        elif kind.endswith("WebhookConfiguration"):
            self.webhooks.append(item)
        self.objects[kind, place, name] = item


def _there(
    settings: StackSettings,
    manifests: tuple[Manifest, ...],
    files: tuple[Path, ...],
    options: dict[str, Any],
) -> _There:
    found, names = _There(), {one.name for one in settings.enrolled_namespaces}
    if files:
        for item in objects_of(files):
            found.add(item, names)
        return found
    from fsm_stack.cluster.connect import connect
    from fsm_stack.cluster.installation import read_annotations, read_installation, read_objects
    from fsm_stack.cluster.read import Reader
    from fsm_stack.cluster.subject import require_same_cluster
    from fsm_stack.verify.expected import of_stack

    cluster = connect(kubeconfig=options["kubeconfig"], context=options["context"])
    uid = Reader(cluster=cluster).uid()
    require_same_cluster(of_stack(settings, title=""), context=cluster.context, uid=uid)
    for item in read_installation(cluster, namespace=settings.namespace).values():
        found.add(item, names)
    found.objects = read_objects(cluster, manifests)
    found.annotations = read_annotations(cluster, sorted(names))
    return found


def objects_of(files: tuple[Path, ...]) -> Iterator[Json]:
    """Every object of files of kubectl.

    Raises:
        InputError: one cannot be read.
    """
    from fsm_stack.workloads.documents import split
    from fsm_stack.workloads.objects import objects

    for path in files:
        name, text = read_text_input(path)
        for document in split(io.StringIO(text), file=name):
            for _, item in objects(document.load()):
                yield item


def _write(project_dir: Path, stack: str, names: tuple[str, ...]) -> str:
    """Name the objects in the stack file; what messages call it."""
    from fsm_stack.project.files import write_file
    from fsm_stack.project.project import find_project, read_text
    from fsm_stack.workloads.edit import edited_text

    project = find_project(project_dir)
    (known,) = project.chosen((stack,))
    path = project.directory / f"Pulumi.{known}.yaml"
    shown = project.shown(path)

    def edit(tree: Any) -> None:  # noqa: ANN401  # ruamel's tree
        config = tree["config"]
        key = next((k for k in ("fsm-stack:deployment", "deployment") if k in config), None)
        if key is None:
            config["fsm-stack:deployment"] = {"adopt": list(names)}
        else:
            config[key]["adopt"] = list(names)

    text = read_text(path, project=project.directory, shown=shown)
    write_file(path, edited_text(text, edit).encode(), shown=shown)
    return shown


def _lines(result: Adoption, written: str, stack: str) -> Iterator[str]:
    from fsm_stack.findings.finding import harmless

    for one in result.objects:
        yield f"{one.name}: {_WORDS.get(one.state, 'differs')}"
        for difference in one.differences:
            if _same_rights(difference):
                yield f"  {difference.path}: the same rights, in another order"
                continue
            live = "nothing" if difference.live is None else repr(difference.live)
            who = f", by {', '.join(map(str, difference.managers))}" if difference.managers else ""
            change = f"{live} would become {difference.declared!r}{who}"
            yield f"  {difference.path}: {harmless(change)}"
    if not result.traffic:
        yield "traffic: there is no MeshConfig to compare with"
    elif not any(one.changes for one in result.traffic):
        count = len(result.traffic)
        classes = "1 class" if count == 1 else f"{count} classes"
        yield f"traffic: unchanged: the scripts of {classes} of pods are the same before and after"
    for traffic in result.traffic:
        if traffic.changes:
            yield f"traffic: {traffic.title}:"
            yield from _script_diff(traffic.before, traffic.after)
    yield f"restarts: {_restarts(result)}"
    yield from finding_lines(result.findings)
    count = len(result.names)
    if written:
        yield f"{written}: {count} objects named in deployment.adopt; next: pulumi up"
    elif count:
        yield f"{count} objects can be taken over: fsm-stack adopt {stack} --write, then pulumi up"


def _restarts(result: Adoption) -> str:
    names = ", ".join(str(one.name) for one in result.objects if one.restarts)
    return f"{names}, by a rolling update; no other pod" if names else "no pod"


def _same_rights(difference: Difference) -> bool:
    """Whether a role's rules differ in their order only."""
    from fsm_stack.snapshot.programs import lacking

    if difference.path != "rules":
        return False
    one, other = {"rules": difference.declared}, {"rules": difference.live}
    return not lacking(one, other) and not lacking(other, one)


def _script_diff(before: str, after: str) -> Iterator[str]:
    from difflib import unified_diff

    lines = unified_diff(before.splitlines(), after.splitlines(), "now", "adopted", lineterm="")
    return (f"  {line}" for line in lines)


def _plain(result: Adoption, written: str) -> Json:
    return {
        "objects": [_plain_object(one) for one in result.objects],
        "traffic": [
            {"pods": one.title, "changes": one.changes, "before": one.before, "after": one.after}
            for one in result.traffic
        ],
        "findings": [item.as_json() for item in result.findings],
        "adopt": list(result.names),
        "written": written or None,
    }


def _plain_object(one: Adopted) -> Json:
    differences = [
        {
            "path": item.path,
            "declared": item.declared,
            "live": item.live,
            "managers": [str(owner) for owner in item.managers],
        }
        for item in one.differences
    ]
    return {
        "object": str(one.name),
        "state": one.state,
        "restarts": one.restarts,
        "differences": differences,
    }


@click.command(cls=Verb, short_help="List what a removed mesh left, with safe commands.")
@click.option("--from", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Read kubectl's YAML or JSON instead of a cluster.")  # fmt: skip
@fail_on_option
@cluster_options
@output_option
def leftovers(files: tuple[Path, ...], *, fail_on: str, **options: Any) -> None:  # noqa: ANN401
    """List what FSM, osm-edge or OSM left in a cluster, and the commands that remove it.

    In an order in which no pod is refused at any time: webhooks that nobody answers for first,
    then namespaces leave the mesh, then what still has a sidecar is restarted, CRDs last. Nothing
    is removed: the commands are printed. Of Secrets only the names are read.
    """
    from fsm_stack.convert.leftovers import TITLES, findings
    from fsm_stack.convert.leftovers import leftovers as left_in

    remains = _remains(files, options)
    found = left_in(remains)
    told = tuple(findings(found, remains))
    lines: list[str] = []
    for step, title in TITLES.items():
        items = [one for one in found if one.step is step]
        if items:
            lines += [f"{title}:", *(f"  # {one.name}: {one.why}" for one in items)]
            lines += [f"  {one.command}" for one in dict.fromkeys(items)]
    lines = lines or ["nothing of a mesh is left"]
    plain = [
        {"step": one.step.name.lower(), "object": str(one.name), "why": one.why,
         "command": one.command}
        for one in found
    ]  # fmt: skip
    emit({"leftovers": plain, "findings": [item.as_json() for item in told]},
         [*lines, *finding_lines(told)])  # fmt: skip
    leave(failed=stops(told, fail_on))


def _remains(files: tuple[Path, ...], options: dict[str, Any]) -> Remains:
    if not files:
        from fsm_stack.cluster.connect import connect
        from fsm_stack.cluster.installation import read_leftovers

        return read_leftovers(
            connect(kubeconfig=options["kubeconfig"], context=options["context"])
        )
    from fsm_stack.convert.remains import of_objects

    return of_objects(objects_of(files))
