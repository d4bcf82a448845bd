"""Everything that was given, told apart, and put together to one stack."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.chart.commands import Command, commands, merge_patch, patch_target
from fsm_stack.convert.chart.helm import DEFAULT_VERSION, convert_helm_values, require_release
from fsm_stack.convert.chart.release import (
    CHARTS,
    Release,
    is_release,
    newest,
    not_counted,
    read_release,
)
from fsm_stack.convert.compared import combined
from fsm_stack.convert.mesh_config import convert_mesh_config, spec_of
from fsm_stack.convert.osm import (
    convert_osm_mesh_config,
    fsm_values,
    is_osm,
    patched_osm,
)
from fsm_stack.convert.result import Converted, Draft, Line, at, leaves, over
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import finding
from fsm_stack.manifests.mesh import PRESET_KEY, mesh_config
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM, OSM
from fsm_stack.verify.expected import selected_mesh
from fsm_stack.well_known import PRESET_CONFIG_MAP
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.objects import objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

_ROOTS: Final = frozenset({"fsm", "smi", "clusterSet", "osm", "contour"})
_ENABLED: Final = {"enabled": True, "yes": True, "true": True, "disabled": False, "no": False,
                   "false": False}  # fmt: skip
_PROGRAMS: Final = frozenset({"fsm", "osm", "helm", "kubectl"})
_OURS, _THEIRS = FSM.name, OSM.name  # a chart, its values' root, its command line
_OBJECT, _THEIR_OBJECT = FSM.mesh_config_name, OSM.mesh_config_name
_MESH: Final = FSM.default_mesh_name
_MONITORED: Final = FSM.monitored_by_label
_THEIR_NAMESPACE: Final = OSM.default_namespace


@dataclass(slots=True)
class Sources:
    """What a stack is converted from.

    Attributes:
        meshes: MeshConfigs of FSM, OSM or osm-edge, each with its name for people.
        presets: what the chart's preset makes of a MeshConfig, which counts where there is none.
        values: Helm values, the later ones over the earlier ones.
        releases: revisions of a Helm release.
        commands: install and patch commands.
        namespaces: enrolled ones.
        mesh_names: whose pods the injectors' webhooks take.
        unused: objects that say nothing about settings.
    """

    meshes: list[tuple[str, Json]] = field(default_factory=list)
    presets: list[tuple[str, Json]] = field(default_factory=list)
    values: list[tuple[str, Json]] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    namespaces: list[Json] = field(default_factory=list)
    mesh_names: set[str] = field(default_factory=set)
    unused: list[str] = field(default_factory=list)

    def add_text(self, text: str, *, name: str) -> None:
        """Take a file: YAML or JSON documents, or commands.

        Raises:
            InputError: it is nothing of these.
        """
        if _looks_typed(text):
            self.commands += commands(text, name=name)
            return
        for document in split(StringIO(text), file=name):
            value = document.load()
            if value is not None:
                self.add(value, name=name)

    def add(self, value: Any, *, name: str) -> None:
        """Take a decoded document.

        Raises:
            InputError: it is neither an object nor Helm values.
        """
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise InputError(
                f"{name}: expected a MeshConfig, Helm values or a release, got {kind}"
            )
        if "kind" not in value or "apiVersion" not in value:
            if value and not _ROOTS & value.keys():
                roots = ", ".join(sorted(_ROOTS))
                raise InputError(
                    f"{name}: expected a Kubernetes object, or Helm values with one of {roots}; "
                    f"got {', '.join(map(str, list(value)[:5]))}"
                )
            self.values.append((name, value))
            return
        for _, item in objects(value):
            self._object(item, name)

    def _object(self, item: Json, name: str) -> None:
        kind, title = item.get("kind"), at(item, "metadata.name")
        shown = f"{name}: {kind} {title}"
        if kind == "MeshConfig":
            self.meshes.append((shown, item))
        elif is_release(item):
            release = read_release(item, name=shown)
            if release.chart in CHARTS:
                self.releases.append(release)
            else:
                self.unused.append(f"release {release.name} of chart {release.chart}")
        elif kind == "ConfigMap" and title == PRESET_CONFIG_MAP:
            self.presets.append((shown, _preset(item, shown)))
        elif kind == "Namespace":
            self.namespaces.append(item)
        elif kind == "MutatingWebhookConfiguration" and (mesh := selected_mesh(item, FSM)):
            self.mesh_names.add(mesh)
        else:
            self.unused.append(f"{kind}/{title}")


def _looks_typed(text: str) -> bool:
    """Whether a text begins like a command, after prompts and comments."""
    lines = (line.strip().removeprefix("$ ") for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first.partition(" ")[0].rpartition("/")[2] in _PROGRAMS


def _preset(item: Json, name: str) -> Json:
    """The MeshConfig that bootstrap makes of the chart's preset."""
    data = item.get("data")
    text = data.get(PRESET_KEY) if isinstance(data, dict) else None
    try:
        spec = json.loads(text or "")
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{name}: data[{PRESET_KEY!r}]: expected JSON: {error}") from None
    return {
        "apiVersion": FSM.mesh_config_api_version,
        "kind": "MeshConfig",
        "metadata": {"name": FSM.mesh_config_name, "namespace": at(item, "metadata.namespace")},
        "spec": spec,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the sources do not say.

    Attributes:
        today: for the settings' checks.
        chart_version: the FSM release; what the sources say if absent.
        namespace: Helm's ``--namespace``; what the sources say if absent.
        mesh_name: what the sources say if absent.
    """

    today: date
    chart_version: str | None = None
    namespace: str | None = None
    mesh_name: str | None = None


def converted(sources: Sources, options: Options) -> Converted:
    """One stack of everything that was given.

    Raises:
        InputError: nothing was given that says anything, or two of what there can be one of.
        FindingsError: a value that is not known, or of the wrong type.
    """
    options = _completed(sources, options)
    values = _values(sources, options)
    mesh = _patched_mesh(_one_mesh(sources), patch_target(sources.commands))
    patches = [(command.text, command.patch) for command in sources.commands if command.patch]
    if values is None and mesh is None and not patches:
        raise InputError(
            "nothing to convert: expected a MeshConfig, Helm values, a release of Helm's, or "
            "install commands"
        )
    result = _meshed(values, mesh, patches, options)
    draft = Draft(
        settings=result.settings, findings=list(result.findings), lines=list(result.lines)
    )
    for command in sources.commands:
        draft.findings += command.findings
    if options.mesh_name and options.mesh_name != _MESH:
        draft.set("mesh.name", options.mesh_name, "the injector's webhook, or --mesh-name")
    _enrolled(sources.namespaces, draft)
    for source, why in not_counted(sources.releases):
        draft.drop(source, why)
    for title in sources.unused:
        draft.drop(title, "it says nothing about settings")
    return draft.done(result.title)


def _completed(sources: Sources, options: Options) -> Options:
    """The options, with what release and commands say of themselves."""
    release = newest(sources.releases)
    installs = [command for command in sources.commands if command.patch is None]
    if len(installs) > 1:
        raise InputError(f"{len(installs)} install commands: expected one, the mesh's last")
    said, patched = next(iter(installs), Command(text="")), patch_target(sources.commands)
    version = options.chart_version or (release.version if release else "") or said.version
    of_osm = bool(release and release.chart != _OURS) or said.text.startswith(_THEIRS)
    told = bool(sources.meshes or sources.presets)  # a MeshConfig says its release itself
    if not options.chart_version and (of_osm or (told and version not in PIPY_VERSIONS)):
        version = ""
    if version:
        source = f"release {release.name}" if release else said.text
        require_release(version, "" if options.chart_version else source)
    known = sources.mesh_names if len(sources.mesh_names) == 1 else set()
    return replace(
        options,
        mesh_name=options.mesh_name or next(iter(known), None),
        chart_version=version or None,
        namespace=options.namespace
        or (release.namespace if release else "")
        or said.namespace
        or (patched[1] if patched[0] == _OBJECT and not installs else "")
        or None,
    )


def _values(sources: Sources, options: Options) -> Converted | None:
    """Values of files, the release and an install command, as Helm puts them over each other."""
    parts = list(sources.values)
    if (release := newest(sources.releases)) is not None:
        title = f"release {release.name}, revision {release.revision}"
        parts.insert(0, (title, release.values))
    for command in sources.commands:
        if command.patch is None:
            if command.files and not sources.values:
                named = ", ".join(command.files)
                raise InputError(f"the command reads {named}: give it as FILE, too")
            parts.append((command.text, command.values))
    if not parts:
        return None
    values: Json = {}
    lines: tuple[Line, ...] = ()
    for _, part in parts:
        values = over(values, part)
    findings: tuple[Finding, ...] = ()
    namespace = options.namespace
    if _THEIRS in values:
        values, lines, findings = fsm_values(values)
        namespace = None if namespace == _THEIR_NAMESPACE else namespace
    result = convert_helm_values(
        values,
        fsm_version=options.chart_version or DEFAULT_VERSION,
        release_namespace=namespace or FSM.default_namespace,
    )
    return replace(
        result,
        lines=(*_overruled(parts), *lines, *result.lines),
        findings=(*findings, *result.findings),
        title=" and ".join(title for title, _ in parts),
    )


def _overruled(parts: Iterable[tuple[str, Json]]) -> Iterator[Line]:
    """What a part says that a later one says otherwise."""
    under: Json = {}
    for title, part in parts:
        for path, value in leaves(under):
            if at(part, path) not in (None, value):
                yield Line(source=path, why=f"{title} says otherwise, and counts")
        under = over(under, part)


def _one_mesh(sources: Sources) -> tuple[str, Json] | None:
    known = sources.meshes or sources.presets
    if len(known) > 1:
        names = ", ".join(name for name, _ in known)
        raise InputError(f"several MeshConfigs: expected one, got {names}")
    return known[0] if known else None


def _patched_mesh(
    mesh: tuple[str, Json] | None, target: tuple[str, str]
) -> tuple[str, Json] | None:
    """The MeshConfig that was given; of OSM's, whose defaults are not known, what patches say.

    Raises:
        InputError: the patches are for another MeshConfig.
    """
    if mesh is None:
        osm = patched_osm(target[1]) if target[0] == _THEIR_OBJECT else None
        return ("the patched MeshConfig", osm) if osm else None
    known = [at(mesh[1], "metadata.name"), at(mesh[1], "metadata.namespace")]
    if any(one and other and one != other for one, other in zip(known, target, strict=True)):
        raise InputError(f"{mesh[0]}: the patch is for {' in '.join(filter(None, target))}")
    return mesh


def _meshed(
    values: Converted | None,
    mesh: tuple[str, Json] | None,
    patches: Sequence[tuple[str, Json]],
    options: Options,
) -> Converted:
    """The MeshConfig over the values, after the patches that were typed."""
    if mesh is not None and is_osm(mesh[1]):
        if values is not None:
            raise InputError(
                f"{mesh[0]}: expected no values beside a MeshConfig of OSM or osm-edge"
            )
        name, item = mesh
        for _, patch in patches:
            item = merge_patch(item, patch)
        return convert_osm_mesh_config(
            item, today=options.today, fsm_version=options.chart_version, name=name
        )
    version = options.chart_version
    if mesh is None:
        if values is not None and not patches:
            return values
        base = values or convert_helm_values({}, fsm_version=version or DEFAULT_VERSION,
                                             release_namespace=options.namespace
                                             or FSM.default_namespace)  # fmt: skip
        loaded = load_mapping(base.settings, name="", today=options.today).require()
        item = dict(mesh_config(loaded).object)
        if loaded.cluster_set.uid is None:  # a derived one is no setting
            cluster_set = {k: v for k, v in item["spec"]["clusterSet"].items() if k != "uid"}
            item["spec"] = item["spec"] | {"clusterSet": cluster_set}
        mesh = ("the patched MeshConfig", item)
        version = version or loaded.fsm_version
    name, item = mesh
    for _, patch in patches:
        item = merge_patch(item, patch)
    title = name if not patches else " and ".join((name, *(text for text, _ in patches)))
    result = convert_mesh_config(item, today=options.today, fsm_version=version, name=name)
    result = replace(result, title=title, lines=(*_overruled(patches), *result.lines))
    if values is None:
        return result
    return combined(values, result, spec_of(item, name=name), today=options.today)


def _enrolled(namespaces: Iterable[Json], draft: Draft) -> None:
    """Namespaces whose label says that they are in the mesh."""
    name = at(draft.settings, "mesh.name") or _MESH
    injection, metrics = FSM.annotation("sidecar-injection"), FSM.annotation("metrics")
    found = []
    for item in namespaces:
        title, about = at(item, "metadata.name"), item.get("metadata") or {}
        source = f"Namespace {title}"
        labels, notes = about.get("labels") or {}, about.get("annotations") or {}
        if labels.get(_MONITORED) != name:
            other = labels.get(OSM.monitored_by_label)
            moved = f"; it is in mesh {other} of OSM: convert -f rewrites its labels"
            draft.drop(source, f"not in mesh {name}{moved if other else ''}")
            continue
        entry: Json = {"name": title}
        asked = notes.get(injection)
        injected = _ENABLED.get(str(asked).lower()) if asked is not None else None
        if asked is not None and injected is None:
            message = f"annotation {injection}: expected enabled or disabled, got {asked!r}"
            draft.findings.append(finding("injection-value", message, path=source))
        if injected is not True:
            entry["sidecarInjection"] = injected
        if str(notes.get(metrics)).lower() in {"enabled", "yes", "true"}:
            entry["metrics"] = True
        found.append(entry)
        draft.lines.append(Line(source=source, target="enrolledNamespaces"))
    if found:
        draft.settings["enrolledNamespaces"] = sorted(found, key=lambda one: str(one["name"]))
