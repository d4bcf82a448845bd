"""Images of a MeshConfig to settings of images: what is not the release's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic.alias_generators import to_camel

from fsm_stack.convert.result import at, leaves
from fsm_stack.errors import FindingsError
from fsm_stack.findings.finding import finding
from fsm_stack.settings.models.components import FSM_IMAGES, PIPY_VERSIONS
from fsm_stack.settings.problems import type_name

if TYPE_CHECKING:
    from fsm_stack.convert.result import Draft
    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

SIDECAR_IMAGE: Final = "sidecar.sidecarImage"


def image_parts(reference: str) -> dict[str, str]:
    """Registry, name, tag and digest of an image's reference, as far as it has them."""
    rest, _, digest = reference.partition("@")
    path, _, name = rest.rpartition("/")
    name, _, tag = name.partition(":")
    parts = {"registry": path, "name": name, "tag": tag, "digest": digest}
    return {key: value for key, value in parts.items() if value}


def take_images(spec: Json, draft: Draft) -> None:
    """Sections ``image`` and ``misc``, and the sidecar's image, as settings of images."""
    version = draft.settings["fsmVersion"]
    refused: list[Finding] = []
    image, misc = (_section(spec, name, draft, refused) for name in ("image", "misc"))
    registry = str(image.get("registry") or "flomesh")
    usual = {"registry": "flomesh", "tag": version, "pullPolicy": "IfNotPresent"}
    fields = {key: (to_camel(field), known) for field, (key, known) in FSM_IMAGES.items()}
    for path, value in leaves(image):
        source, (part, _, key) = f"spec.image.{path}", path.partition(".")
        field, name = fields.get(key, ("", ""))
        if path in usual:
            target, known = f"images.{path}", usual[path]
        elif part in {"name", "digest"} and field:
            target, known = f"images.{field}.{part}", name if part == "name" else ""
        else:
            refused.append(_unknown(source, value))
            continue
        if value in (known, "", None):
            draft.drop(source, "FSM's default")
        else:
            draft.set(target, value, source)
    for source, target, name in (
        (SIDECAR_IMAGE, "images.pipy", "pipy"),
        ("misc.repoServerImage", "images.pipyRepo", "pipy-repo"),
    ):
        usual = {"registry": registry, "name": name, "tag": PIPY_VERSIONS[version]}
        value = at(spec, source)
        if isinstance(value, str):
            take_pipy(value, f"spec.{source}", target, draft, usual=usual)
        elif value is not None:
            refused.append(_wrong_type(f"spec.{source}", "an image's reference", value))
        elif source in dict(leaves(spec)):
            draft.drop(f"spec.{source}", "empty: the release's image")
    refused += [
        _unknown(f"spec.misc.{key}", value)
        for key, value in misc.items()
        if key != "repoServerImage"
    ]
    if refused:
        raise FindingsError(tuple(refused))


def take_pipy(
    value: str, source: str, target: str, draft: Draft, *, usual: dict[str, str]
) -> None:
    """One of Pipy's images: what of its reference is not the release's."""
    if not value:
        draft.drop(source, "empty: the release's image")
        return
    other = {key: part for key, part in image_parts(value).items() if usual.get(key) != part}
    if not other:
        draft.drop(source, "the release's image")
    for key, part in other.items():
        draft.set(f"{target}.{key}", part, source)


def _section(spec: Json, name: str, draft: Draft, refused: list[Finding]) -> Json:
    """A section's mapping; empty where it is none, which is said or refused."""
    value = spec.get(name)
    if isinstance(value, dict) and value:
        return value
    source = f"spec.{name}"
    if value is None or value == {}:
        if name in spec:
            draft.drop(source, "empty: FSM's defaults")
    else:
        refused.append(_wrong_type(source, "a mapping", value))
    return {}


def _wrong_type(path: str, expected: str, value: object) -> Finding:
    message = f"expected {expected}, got {type_name(value)}"
    return finding("wrong-type", message, path=path, value=value)


def _unknown(path: str, value: object) -> Finding:
    message = f"expected a key of FSM's MeshConfig, got {path.rpartition('.')[2]!r}"
    return finding("unknown-key", message, path=path, value=value)
