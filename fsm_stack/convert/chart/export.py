"""A stack's settings as Helm values, as an install command, as a patch of the MeshConfig.

What the other form cannot say is found by reading it back: every setting that is lost is named.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.chart.commands import merge_patch
from fsm_stack.convert.chart.control_plane import control_plane_values
from fsm_stack.convert.chart.helm import convert_helm_values
from fsm_stack.convert.chart.mesh import MESH_VALUES
from fsm_stack.convert.chart.programs import PROGRAM_VALUES, program_values
from fsm_stack.convert.chart.set_syntax import parse_set
from fsm_stack.convert.compared import SECTIONS
from fsm_stack.convert.mesh_config import convert_mesh_config
from fsm_stack.convert.result import Draft, at, leaves, put, same
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import finding
from fsm_stack.lists import KEYS
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.manifests.mesh_config import sections
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.convert.chart.set_syntax import Form
    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

# Parts of a stack that are about the stack itself: no other form has them, and nobody expects it.
OF_THE_STACK: Final = (
    "accept", "annotationProfiles", "cluster.", "deployment", "fsmVersion", "releaseAssets",
)  # fmt: skip
_NOTES: Final = (".reason", ".owner", ".until")
_FORMS: Final[tuple[Form, ...]] = ("set", "set-string", "set-json")


def require_fsm(settings: StackSettings) -> None:
    """Refuse a stack of another system.

    Raises:
        InputError: the chart and the patch are FSM's.
    """
    if not settings.profile.declares_control_plane:
        raise InputError(f"system {settings.system}: expected a stack of fsm")


def helm_values(settings: StackSettings) -> Json:
    """The values of FSM's chart that mean a stack; the chart's defaults are left out."""
    require_fsm(settings)
    ours = _plain(settings)
    values: Json = {}
    table = control_plane_values(settings.fsm_version) | MESH_VALUES | PROGRAM_VALUES
    for path, known in table.items():
        value = at(ours, known.target)
        if value is None or path in _NAMED or known.target.startswith("images."):
            continue
        if known.target.startswith("certificateProvider.vault.") and not at(
            ours, "certificateProvider.vault"
        ):
            continue
        value = _over_default(known.default, value)
        if not _alike(known.default, value):
            put(values, path, value)
    if settings.mesh.name:
        put(values, "fsm.meshName", settings.mesh.name)
    _images(ours, settings.fsm_version, values)
    if ours["traffic"]["interceptionMode"]:
        put(values, "fsm.trafficInterceptionMode", ours["traffic"]["interceptionMode"])
    return values


# Written by options of the install command, and by hand below.
_NAMED: Final = frozenset({"fsm.meshName", "fsm.fsmNamespace"})


def _plain(settings: StackSettings) -> Json:
    """The settings as in a file, defaults written out, lists as plain values."""
    plain: Json = settings.model_dump(mode="json", by_alias=True)
    for key in KEYS:
        plain["traffic"][key] = [entry["value"] for entry in plain["traffic"][key]]
    for chain in plain["pluginChains"].values():
        for plugin in chain:
            whole = plugin["priority"]
            plugin["priority"] = int(whole) if float(whole).is_integer() else whole
    without: Json = _without_none(plain)
    return without


def _without_none(value: Any) -> Any:
    """Items of lists without absent fields; an absent setting itself stays, as None."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [
            {k: v for k, v in item.items() if v is not None} if isinstance(item, dict) else item
            for item in value
        ]
    return value


def _over_default(default: Any, value: Any) -> Any:
    """A mapping as what Helm has to merge over the chart's default: null takes a key away."""
    if not isinstance(default, dict) or not isinstance(value, dict):
        return value
    over: Json = {key: None for key in default if key not in value}
    for key, item in value.items():
        if key not in default:
            over[key] = item
        elif not same(default[key], item):
            over[key] = _over_default(default[key], item)
    return over


def _alike(default: Any, value: Any) -> bool:
    """Whether a value says what the chart's default says."""
    if isinstance(default, dict) and isinstance(value, dict):
        return not value  # nothing to merge
    if isinstance(default, list) and isinstance(value, list):
        return len(default) == len(value) and all(map(_item_alike, default, value))
    return same(default, value) or (value == "" and default is None)


def _item_alike(default: Any, value: Any) -> bool:
    if isinstance(default, dict) and isinstance(value, dict):
        filled = {"disable": False, "port": 53} | default
        return {k: v for k, v in filled.items() if k in value or k in default} == value
    return same(default, value)


def _images(ours: Json, version: str, values: Json) -> None:
    for path, value, usual in _image_values(ours, version):
        if value not in (None, [], usual):
            put(values, path, value)


def _image_values(ours: Json, version: str) -> Iterator[tuple[str, Any, Any]]:
    """Values of images, each with the chart's default.

    Of Pipy's images registry and name stand apart, and a digest stands behind the tag.
    """
    images = ours["images"]
    yield "fsm.image.registry", images["registry"], "flomesh"
    yield "fsm.image.pullPolicy", images["pullPolicy"], "IfNotPresent"
    yield "fsm.image.tag", images["tag"], version
    yield "fsm.imagePullSecrets", images["pullSecrets"], []
    for path, known in control_plane_values(version).items():
        if path.startswith(("fsm.image.name.", "fsm.image.digest.")):
            yield path, at(ours, known.target), known.default
    for section, name, usual in (
        ("sidecar", "pipy", "pipy"),
        ("repoServer", "pipyRepo", "pipy-repo"),
    ):
        own, path = images[name], f"fsm.{section}.image"
        tag, digest = own["tag"] or PIPY_VERSIONS[version], own["digest"]
        yield f"{path}.registry", own["registry"] or images["registry"], "flomesh"
        yield f"{path}.name", own["name"], usual
        yield f"{path}.tag", f"{tag}@{digest}" if digest else tag, PIPY_VERSIONS[version]
    registry, _, rest = ours["serviceLB"]["image"].rpartition("/")
    name, _, tag = rest.partition(":")
    yield "fsm.serviceLB.image.registry", registry, "flomesh"
    yield "fsm.serviceLB.image.name", name, "mirrored-klipper-lb"
    yield "fsm.serviceLB.image.tag", tag, "v0.4.7"
    yield from program_values(ours)


def lost_in_values(settings: StackSettings, values: Json, *, today: date) -> tuple[Finding, ...]:
    """The settings that are others when the values are read back."""
    back = convert_helm_values(
        values, fsm_version=settings.fsm_version, release_namespace=settings.namespace
    )
    loaded = load_mapping(back.settings, name="", today=today)
    again = loaded.settings or StackSettings()
    return tuple(_lost(settings, again, "FSM's chart has no value for it"))


def _lost(settings: StackSettings, again: StackSettings, why: str) -> Iterator[Finding]:
    one, other = _plain(settings), _plain(again)
    one["mesh"]["name"], other["mesh"]["name"] = settings.mesh_name, again.mesh_name
    one["mesh"]["namespace"], other["mesh"]["namespace"] = settings.namespace, again.namespace
    known = dict(leaves(other))
    for path, value in leaves(one):
        if path.startswith(OF_THE_STACK) or path.endswith(_NOTES):
            continue
        back = known.get(path, at(other, path))  # a label's key has dots of its own
        if value != back and not (value in (None, [], {}) and back in (None, [], {})):
            yield finding("setting-not-exported", f"{why}: {value!r}", path=path, value=value)


def install_command(settings: StackSettings, values: Json) -> str:
    """The command that installs the mesh with these values, an option a line.

    ``fsm install`` has ``--set`` alone; where a value needs another form, it is Helm's command.
    """
    options = [(path, *_option(path, value)) for path, value in _set_leaves(values)]
    plain = all(form == "set" for _, form, _ in options)
    words = []
    if plain:
        words += ["fsm install"]
        if settings.mesh_name != settings.profile.default_mesh_name:
            words.append(f"--mesh-name {settings.mesh_name}")
        if settings.namespace != settings.profile.default_namespace:
            words.append(f"--fsm-namespace {settings.namespace}")
        if not settings.mesh.enforce_single_mesh:
            words.append("--enforce-single-mesh=false")
        skipped = {"fsm.meshName", "fsm.enforceSingleMesh"}
        options = [option for option in options if option[0] not in skipped]
    else:
        words += ["helm install fsm fsm", "--repo https://flomesh-io.github.io/fsm",
                  f"--version {settings.fsm_version}", f"--namespace {settings.namespace}",
                  "--create-namespace"]  # fmt: skip
    words += [f"--{form} {shlex.quote(text)}" for _, form, text in options]
    return " \\\n  ".join(words)


def _set_leaves(values: Json) -> Iterator[tuple[str, Any]]:
    """Values with their ``--set`` paths; a list of mappings stays whole."""

    def below(tree: Json, prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in tree.items():
            escaped = "".join(f"\\{c}" if c in "\\.,=[" else c for c in key)
            path = f"{prefix}{escaped}"
            if isinstance(value, dict) and value:
                yield from below(value, f"{path}.")
            else:
                yield path, value

    return below(values, "")


def _option(path: str, value: Any) -> tuple[Form, str]:
    """The first form of ``--set`` that Helm reads as exactly this value."""
    for form in _FORMS:
        text = f"{path}={_set_text(value, form)}"
        read: Json = {}
        try:
            parse_set(text, read, form)
        except InputError:
            continue
        found = list(_set_leaves(read))
        if len(found) == 1 and found[0][0] == path and _reads(found[0][1], value, path):
            return form, text
    raise AssertionError(path)  # --set-json says every value


def _reads(read: Any, value: Any, path: str) -> bool:
    """Whether what Helm reads says the value; an amount may be a number, too."""
    amount = "esource" in path and isinstance(value, str)
    return json.dumps(read) == json.dumps(value) or (amount and str(read) == value)


def _set_text(value: Any, form: Form) -> str:
    if form == "set-json":
        return json.dumps(value)
    if isinstance(value, list):
        return "{" + ",".join(_escaped(item, ",}\\") for item in value) + "}"
    return _escaped(value, ",\\")


def _escaped(value: Any, characters: str) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value) if _word(value) else str(value)
    return "".join(f"\\{c}" if c in characters else c for c in str(text))


def _word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def merge_patch_of(settings: StackSettings) -> Json:
    """A merge patch that brings a MeshConfig to what a stack sets, and keeps all else.

    The five redirection lists are in it whole, also empty ones: a merge patch replaces a list.
    """
    require_fsm(settings)
    ours, usual = sections(settings), sections(MeshSettings.model_construct())
    patch: Json = {}
    for path, value in leaves(ours):
        listed = path.startswith("traffic.") and path.partition(".")[2] in KEYS
        if listed or value != at(usual, path):
            put(patch, f"spec.{path}", value)
    for path, value in leaves(usual):
        if at(ours, path) is None and value not in ({}, None):
            put(patch, f"spec.{path}", _empty(value))
    return patch


def _empty(value: Any) -> Any:
    return [] if isinstance(value, list) else 0 if isinstance(value, int) else ""


def patch_command(settings: StackSettings) -> str:
    """The patch as kubectl takes it."""
    body = shlex.quote(json.dumps(merge_patch_of(settings), separators=(",", ":")))
    return (
        f"kubectl patch meshconfig {FSM.mesh_config_name} -n {settings.namespace} --type=merge "
        f"-p {body}"
    )


def lost_in_patch(settings: StackSettings, *, today: date) -> tuple[Finding, ...]:
    """The settings that are others in FSM's default MeshConfig after the patch."""
    usual = dict(mesh_config(StackSettings(fsm_version=settings.fsm_version)).object)
    usual["metadata"] = {**usual["metadata"], "namespace": settings.namespace}
    patched = merge_patch(usual, merge_patch_of(settings))
    draft = Draft(convert_mesh_config(patched, today=today).settings)
    if settings.cluster_set.uid is None:
        draft.settings.get("clusterSet", {}).pop("uid", None)
    again = load_mapping(draft.settings, name="", today=today).settings or StackSettings()
    lost = _lost(settings, again, "the patch does not bring it")
    return tuple(item for item in lost if item.place.path.partition(".")[0] in SECTIONS)
