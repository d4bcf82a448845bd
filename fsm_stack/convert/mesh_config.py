"""A MeshConfig of FSM, live or saved, to settings.

The chart writes it at the first install only, so what it says is what runs. Source: flomesh-io/fsm
f1b55bd8, pkg/apis/config/v1alpha3 and cmd/fsm-bootstrap.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.compared import CREDENTIALS, SECTIONS, UNREAD, WRITTEN, proof
from fsm_stack.convert.images import SIDECAR_IMAGE, take_images
from fsm_stack.convert.result import Converted, Draft, at, leaves, put
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import finding
from fsm_stack.lists import KEYS
from fsm_stack.manifests.mesh_config import OMITTED_WHEN_EMPTY, sections
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.problems import type_name
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fsm_stack.yaml import Json


# Without these the input is no MeshConfig of FSM, and nothing is converted.
_REFUSED: Final = frozenset({"unknown-key", "wrong-type"})
_LOGGING_LEVEL: Final = "observability.remoteLogging.level"
_GROUP: Final = FSM.mesh_config_group
_NAMESPACE: Final = FSM.default_namespace
_USUAL_MODE: Final = FSM.interception_modes[0]
_SMALL: Final = re.compile(r"([0-9]{1,30})([un])")


def spec_of(item: Any, *, name: str) -> Json:
    """The ``spec`` of FSM's MeshConfig.

    Raises:
        InputError: the object is none.
    """
    about = item if isinstance(item, dict) else {}
    group = str(about.get("apiVersion", "")).partition("/")[0]
    if about.get("kind") != "MeshConfig" or group != _GROUP:
        raise InputError(f"{name}: expected a MeshConfig of {_GROUP}")
    return spec_in(about, name=name)


def spec_in(item: Json, *, name: str) -> Json:
    """The ``spec`` of an object.

    Raises:
        InputError: it is no mapping.
    """
    spec = item.get("spec")
    if not isinstance(spec, dict):
        raise InputError(f"{name}: spec: expected a mapping, got {type_name(spec)}")
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
    if isinstance(namespace, str) and namespace != _NAMESPACE:
        draft.set("mesh.namespace", namespace, "metadata.namespace")
    rest = {key: value for key, value in spec.items() if key not in {"image", "misc"}}
    _sections(rest, draft, today)
    take_images(spec, draft)
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
    take_sections(kept_sections(spec, draft), draft, today=today)
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
            tuple(
                item.at(file=None, path=named.get(item.place.path, f"spec.{item.place.path}"))
                for item in refused
            )
        )
    usual = defaults()
    canonical = sections(loaded.settings) if loaded.settings else None
    standard = sections(MeshSettings.model_construct())
    for path, value in leaves(kept):
        same = value == at(usual, path)
        if path == "traffic.interceptionMode":
            same = value == _USUAL_MODE
        elif path != _LOGGING_LEVEL and canonical is not None:  # Go leaves its 0 out, too
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


def kept_sections(spec: Json, draft: Draft) -> Json:
    """What may become a setting; an empty field that Go left out is said."""
    kept: Json = {}
    usual = defaults()
    logs = at(spec, "observability.remoteLogging.enable")
    elsewhere = {
        SIDECAR_IMAGE,
        _LOGGING_LEVEL if logs else SIDECAR_IMAGE,
    }  # with the images, and below
    for path, value in leaves(spec):
        source = f"spec.{path}"
        if path.startswith(WRITTEN):
            draft.drop(source, "fsm-connector's own")
        elif path in elsewhere:
            continue
        elif path in UNREAD:
            message = "neither FSM's types nor its CRD know the key"
            draft.drop(source, message, finding("mesh-config-key-ignored", message, path=source))
        elif f"{path}.".startswith(f"{CREDENTIALS}."):
            _credentials(value, draft)
        elif value in ("", 0, None, {}) and value is not False and _absent(usual, path):
            draft.drop(source, "empty: not set")
        else:
            put(kept, path, _zero(at(usual, path)) if value is None else _amount(path, value))
    for path in sorted(OMITTED_WHEN_EMPTY):
        section, usually = path.partition(".")[0], at(usual, path)
        there = isinstance(spec.get(section), dict)
        if there and at(spec, path) is None and usually not in (None, {}):
            put(kept, path, _zero(usually))
    if logs:
        level = at(spec, _LOGGING_LEVEL)
        put(kept, _LOGGING_LEVEL, 0 if level is None else level)  # the stack would write 2
    return kept


def _amount(path: str, value: Any) -> Any:
    """A quantity in micros or nanos, as the API server writes small parts, as settings take it."""
    _, _, rest = path.partition("esources.")
    small = _SMALL.fullmatch(value) if rest and isinstance(value, str) else None
    if small is None:
        return value
    exact = Fraction(int(small[1]), 10**9 if small[2] == "n" else 10**6)
    for suffix, scale in (("", 1), ("m", Fraction(1, 1000)), ("k", 1000), ("M", 10**6)):
        millionths = exact / scale * 10**6
        if millionths.denominator == 1 and millionths < 10**21:
            whole, part = divmod(int(millionths), 10**6)
            return f"{whole}.{part:06d}{suffix}"
    return value


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
    source = f"spec.{CREDENTIALS}"
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
