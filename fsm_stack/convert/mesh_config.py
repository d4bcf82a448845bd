"""A MeshConfig of FSM, live or saved, to settings; with Helm values beside it, it wins.

The chart writes it at the first install only, so what it says is what runs. Source: flomesh-io/fsm
f1b55bd8, pkg/apis/config/v1alpha3 and cmd/fsm-bootstrap.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from fsm_stack.convert.result import Converted, Draft, Json, Line, at, leaves, over, put
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import finding
from fsm_stack.lists import KEYS
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.manifests.mesh_config import OMITTED_WHEN_EMPTY, sections
from fsm_stack.settings.models.components import FSM_IMAGES, PIPY_VERSIONS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM
from fsm_stack.units import amount, canonical_quantity
from fsm_stack.verify.drift import ABSENT, Drift, drifts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from fsm_stack.findings.finding import Finding

SECTIONS: Final = tuple(f.alias or to_camel(n) for n, f in MeshSettings.model_fields.items())
# Without these the input is no MeshConfig of FSM, and nothing is converted.
_REFUSED: Final = frozenset({"unknown-key", "wrong-type"})
# Written by FSM's programs while they run; no setting.
_WRITTEN: Final = ("connector.viaGateway", "connector.DO_NOT_EDIT_viaGateway")
_UNREAD: Final = frozenset(
    {
        "sidecar.localDNSProxy.searchesWithNamespace",
        "sidecar.localDNSProxy.searchesWithTrustDomain",
    }
)
_CREDENTIALS: Final = "observability.remoteLogging.authorization"
_LOGGING_LEVEL: Final = "observability.remoteLogging.level"
_SMALL: Final = re.compile(r"([0-9]{1,15})([un])")
_SIDECAR_IMAGE: Final = "sidecar.sidecarImage"
_MESH_COUNTS: Final = "the MeshConfig counts"
_RESOURCES: Final = ("resources", "initResources", "healthcheckResources")


def spec_of(item: Any, *, name: str) -> Json:
    """The ``spec`` of FSM's MeshConfig.

    Raises:
        InputError: the object is none.
    """
    about = item if isinstance(item, dict) else {}
    group = str(about.get("apiVersion", "")).partition("/")[0]
    if about.get("kind") != "MeshConfig" or group != FSM.mesh_config_group:
        raise InputError(f"{name}: expected a MeshConfig of {FSM.mesh_config_group}")
    spec = about.get("spec")
    if not isinstance(spec, dict):
        raise InputError(f"{name}: spec: expected a mapping, got {type(spec).__name__}")
    return spec


def convert_mesh_config(
    item: Any, *, today: date, fsm_version: str | None = None, name: str = "MeshConfig"
) -> Converted:
    """Settings that mean what a MeshConfig says; what a stack would write otherwise is a finding.

    Args:
        item: the decoded object.
        today: for the settings' checks.
        fsm_version: the release; what ``image.tag`` says if absent.
        name: the file, or the object, for messages.

    Raises:
        InputError: it is no MeshConfig of FSM, or tells no release that is known.
        FindingsError: ``unknown-key`` or ``wrong-type``, each with its path.
    """
    spec = spec_of(item, name=name)
    draft = Draft()
    draft.set("fsmVersion", _release(spec, fsm_version, name))
    namespace = at(item, "metadata.namespace")
    if isinstance(namespace, str) and namespace != FSM.default_namespace:
        draft.set("mesh.namespace", namespace, "metadata.namespace")
    rest = {key: value for key, value in spec.items() if key not in {"image", "misc"}}
    _sections(rest, draft, today)
    _images(spec, draft)
    return draft.done(name).with_findings(proof(draft.settings, spec, today))


def _release(spec: Json, given: str | None, name: str) -> str:
    tag = given or at(spec, "image.tag")
    if tag not in PIPY_VERSIONS:
        known = ", ".join(PIPY_VERSIONS)
        raise InputError(
            f"{name}: spec.image.tag: expected one of {known}, got {tag!r}; name the release that "
            "it is closest to with --chart-version"
        )
    return str(tag)


def _sections(spec: Json, draft: Draft, today: date) -> None:
    """The sections that a stack file has, too; an absent one is told."""
    take_sections(_kept(spec, draft), draft, today=today)
    for section in SECTIONS:
        if section not in spec:
            message = f"no section {section}: the chart's defaults are taken"
            draft.findings.append(
                finding("mesh-config-part-absent", message, path=f"spec.{section}")
            )


def take_sections(
    kept: Json, draft: Draft, *, today: date, sources: Mapping[str, str] | None = None
) -> None:
    """Settings of FSM's sections; defaults are left out.

    Args:
        kept: sections in a stack file's form.
        draft: gets the settings.
        today: for the settings' checks.
        sources: where a setting stood, where that is not ``spec.<path>``.

    Raises:
        FindingsError: ``unknown-key`` or ``wrong-type``.
    """
    named = sources or {}
    loaded = load_mapping(kept, name="", today=today)
    refused = [item for item in loaded.findings if item.id in _REFUSED]
    if refused:
        raise FindingsError(
            tuple(item.at(file=None, path=f"spec.{item.place.path}") for item in refused)
        )
    usual = defaults()
    canonical = sections(loaded.settings) if loaded.settings else None
    standard = sections(MeshSettings.model_construct())
    for path, value in leaves(kept):
        same = value == at(usual, path)
        if path == "traffic.interceptionMode":
            same = value == FSM.interception_modes[0]
        elif canonical is not None:
            same = at(canonical, path) == at(standard, path)
        source = named.get(path, f"spec.{path}")
        if same:
            draft.drop(source, "FSM's default")
        else:
            draft.set(path, value, source)


def defaults() -> Json:
    """The mesh's settings that nobody set, lists as plain values."""
    usual = MeshSettings.model_construct().model_dump(mode="json", by_alias=True)
    for key in KEYS:
        usual["traffic"][key] = [entry["value"] for entry in usual["traffic"][key]]
    return usual


def _kept(spec: Json, draft: Draft) -> Json:
    """What may become a setting; an empty field that Go left out is said."""
    kept: Json = {}
    usual = defaults()
    for path, value in leaves(spec):
        source = f"spec.{path}"
        if path.startswith(_WRITTEN):
            draft.drop(source, "fsm-connector's own")
        elif path == _SIDECAR_IMAGE:
            continue  # with the images
        elif path in _UNREAD:
            message = "neither FSM's types nor its CRD know the key"
            draft.drop(source, message, finding("mesh-config-key-ignored", message, path=source))
        elif path == _CREDENTIALS:
            _credentials(value, draft)
        elif value in ("", 0, None, {}) and value is not False and _absent(usual, path):
            draft.drop(source, "empty: not set")
        else:
            put(kept, path, _zero(at(usual, path)) if value is None else _amount(path, value))
    for path in sorted(OMITTED_WHEN_EMPTY):
        section, usually = path.partition(".")[0], at(usual, path)
        if section in spec and at(spec, path) is None and usually not in (None, {}):
            put(kept, path, _zero(usually))
    if at(spec, "observability.remoteLogging.enable") and at(spec, _LOGGING_LEVEL) is None:
        put(kept, _LOGGING_LEVEL, 0)
    return kept


def _amount(path: str, value: Any) -> Any:
    """A quantity in micros or nanos, as the API server writes small ones, in thousandths."""
    _, _, rest = path.partition("esources.")
    small = _SMALL.fullmatch(value) if rest and isinstance(value, str) else None
    if small is None:
        return value
    digits = 6 if small[2] == "n" else 3
    padded = small[1].rjust(digits + 1, "0")
    return f"{padded[:-digits]}.{padded[-digits:]}m"


def _absent(usual: Json, path: str) -> bool:
    """Whether a setting that nobody set is absent, and not a value."""
    section, _, name = path.rpartition(".")
    known = at(usual, section) if section else usual
    return isinstance(known, dict) and name in known and known[name] is None


def _zero(usually: Any) -> Any:
    """Go's empty value of a field, by the type of its default."""
    for kind, zero in ((bool, False), (int, 0), (float, 0), (str, ""), (list, [])):
        if isinstance(usually, kind):
            return zero
    return {} if isinstance(usually, dict) else None


def _credentials(value: Any, draft: Draft) -> None:
    source = f"spec.{_CREDENTIALS}"
    if value in ("", None):
        draft.drop(source, "empty: not set")
        return
    fix = (
        "Put it into a Secret in the control plane's namespace and name that in "
        "observability.remoteLogging.secretName."
    )
    draft.drop(
        source,
        "a secret; no setting takes one",
        finding(
            "secret-value", "expected no value: no setting takes a secret", path=source, fix=fix
        ),
    )


def image_parts(reference: str) -> dict[str, str]:
    """Registry, name, tag and digest of an image's reference, as far as it has them."""
    rest, _, digest = reference.partition("@")
    path, _, name = rest.rpartition("/")
    name, _, tag = name.partition(":")
    parts = {"registry": path, "name": name, "tag": tag, "digest": digest}
    return {key: value for key, value in parts.items() if value}


def _images(spec: Json, draft: Draft) -> None:
    """Sections ``image`` and ``misc``, and the sidecar's image, as settings of images."""
    version = draft.settings["fsmVersion"]
    given = spec.get("image")
    image: Json = given if isinstance(given, dict) else {}
    registry = str(image.get("registry") or "flomesh")
    usual = {"registry": "flomesh", "tag": version, "pullPolicy": "IfNotPresent"}
    fields = {key: (to_camel(field), known) for field, (key, known) in FSM_IMAGES.items()}
    unknown: list[Finding] = []
    for path, value in leaves(image):
        source, (part, _, key) = f"spec.image.{path}", path.partition(".")
        field, name = fields.get(key, ("", ""))
        if path in usual:
            target, known = f"images.{path}", usual[path]
        elif part in {"name", "digest"} and field:
            target, known = f"images.{field}.{part}", name if part == "name" else ""
        else:
            unknown.append(_unknown(source, value))
            continue
        if value in (known, "", None):
            draft.drop(source, "FSM's default")
        else:
            draft.set(target, value, source)
    for source, target, name in (
        (_SIDECAR_IMAGE, "images.pipy", "pipy"),
        ("misc.repoServerImage", "images.pipyRepo", "pipy-repo"),
    ):
        usual = {"registry": registry, "name": name, "tag": PIPY_VERSIONS[version]}
        _pipy(at(spec, source), f"spec.{source}", target, draft, usual=usual)
    misc = spec.get("misc")
    unknown += [
        _unknown(f"spec.misc.{key}", value)
        for key, value in (misc.items() if isinstance(misc, dict) else ())
        if key != "repoServerImage"
    ]
    if unknown:
        raise FindingsError(tuple(unknown))


def _pipy(value: Any, source: str, target: str, draft: Draft, *, usual: dict[str, str]) -> None:
    """One of Pipy's images: what of its reference is not the release's."""
    if not isinstance(value, str) or not value:
        if value is not None:
            draft.drop(source, "empty: the release's image")
        return
    other = {key: part for key, part in image_parts(value).items() if usual.get(key) != part}
    if not other:
        draft.drop(source, "the release's image")
    for key, part in other.items():
        draft.set(f"{target}.{key}", part, source)


def _unknown(path: str, value: object) -> Finding:
    message = f"expected a key of FSM's MeshConfig, got {path.rpartition('.')[2]!r}"
    return finding("unknown-key", message, path=path, value=value)


def proof(settings: Json, spec: Json, today: date) -> Iterator[Finding]:
    """What the stack's own MeshConfig would say otherwise than a given one: it should be nothing.

    Where the settings hold a value that cannot be used, there is nothing to compare: loading the
    stack file says which one.
    """
    loaded = load_mapping(settings, name="", today=today)
    if loaded.settings is None:
        return
    for drift in _differences(loaded.settings, spec):
        path = f"spec.{drift.path}"
        message = f"the stack would write {_shown(drift.declared)}, it is {_shown(drift.live)}"
        yield finding("conversion-differs", message, path=path)


def _canonical(spec: Json) -> Json:
    """A spec whose quantities are the API server's."""
    sidecar = spec.get("sidecar")
    if not isinstance(sidecar, dict):
        return spec
    changed = {
        name: {
            side: {
                unit: canonical_quantity(str(one)) if amount(str(one)) is not None else one
                for unit, one in amounts.items()
            }
            if isinstance(amounts, dict)
            else amounts
            for side, amounts in sidecar[name].items()
        }
        for name in _RESOURCES
        if isinstance(sidecar.get(name), dict)
    }
    return {**spec, "sidecar": {**sidecar, **changed}}


def combined(values: Converted, mesh: Converted, spec: Json, *, today: date) -> Converted:
    """Values of a release, and the MeshConfig that runs: each counts where it is what counts.

    The mesh's sections are the MeshConfig's. The images of the control plane's programs are the
    values': Helm writes those into the Deployments at every upgrade.
    """
    ours = {key: one for key, one in values.settings.items() if key not in SECTIONS}
    theirs = {key: one for key, one in mesh.settings.items() if key in (*SECTIONS, "mesh")}
    images = {key: one for key, one in ours.pop("images", {}).items() if key != "pipy"}
    draft = Draft(settings=over(ours, theirs))
    usual = {"registry": images.get("registry", "flomesh"), "name": "pipy"}
    usual["tag"] = PIPY_VERSIONS[ours["fsmVersion"]]
    if images:
        draft.settings["images"] = images
    _pipy(at(spec, _SIDECAR_IMAGE), f"spec.{_SIDECAR_IMAGE}", "images.pipy", draft, usual=usual)
    for line in values.lines:
        counts = not line.target.startswith((*(f"{name}." for name in SECTIONS), "images.pipy."))
        draft.lines.append(line if counts else Line(source=line.source, why=_MESH_COUNTS))
    for line in mesh.lines:
        if line.target.startswith("images."):
            if line.source != f"spec.{_SIDECAR_IMAGE}":
                draft.drop(line.source, "the Deployments' images are what the values say")
        elif line.source != f"spec.{_SIDECAR_IMAGE}":
            draft.lines.append(line)
    draft.findings = [
        *values.findings,
        *(item for item in mesh.findings if item.id != "conversion-differs"),
        *_overruled(values, spec, today),
        *proof(draft.settings, spec, today),
    ]
    return draft.done(f"{mesh.title} and {values.title}")


def _overruled(values: Converted, spec: Json, today: date) -> Iterator[Finding]:
    """What the values say otherwise than the MeshConfig that runs."""
    loaded = load_mapping(values.settings, name="", today=today)
    if loaded.settings is None:
        return
    for drift in _differences(loaded.settings, spec):
        random = drift.path == "clusterSet.uid"  # the chart makes a new one at every render
        if drift.path.partition(".")[0] in SECTIONS and not random:
            yield finding(
                "values-overruled",
                f"the values say {_shown(drift.declared)}, the MeshConfig {_shown(drift.live)}",
                path=f"spec.{drift.path}",
            )


def _differences(settings: StackSettings, spec: Json) -> Iterator[Drift]:
    """The fields of a stack's MeshConfig that are others in a given one.

    What FSM's programs write is none, and what the API server fills in where it is absent: the
    defaults of the CRD are the chart's.
    """
    usual = mesh_config(StackSettings()).object["spec"]
    declared, live = mesh_config(settings).object["spec"], _canonical(spec)
    for key in KEYS:  # whole lists: an entry alone says nothing to people
        one, other = declared["traffic"][key], at(live, f"traffic.{key}") or []
        if one != other:
            yield Drift(path=f"traffic.{key}", declared=one, live=other)
    for drift in drifts(_without_lists(declared), _without_lists(live)):
        written = drift.path.startswith((*_WRITTEN, *_UNREAD, _CREDENTIALS))
        derived = drift.path == "clusterSet.uid"
        filled = drift.live is ABSENT and (derived or drift.declared == _stands(usual, drift.path))
        if not written and not filled:
            yield drift


def _without_lists(spec: Json) -> Json:
    traffic = spec.get("traffic")
    if not isinstance(traffic, dict):
        return spec
    return {**spec, "traffic": {k: v for k, v in traffic.items() if k not in KEYS}}


def _stands(value: Any, path: str) -> Any:
    """What stands at a path with list indexes; ABSENT where nothing does."""
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return ABSENT
    return value


def _shown(value: object) -> str:
    return "nothing" if value is ABSENT else repr(value)
