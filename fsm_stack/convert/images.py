"""Images of a MeshConfig to settings of images: what is not the release's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from fsm_stack.convert.result import at, leaves
from fsm_stack.errors import FindingsError
from fsm_stack.findings.finding import finding
from fsm_stack.settings.models.components import FSM_IMAGES, PIPY_VERSIONS

if TYPE_CHECKING:
    from fsm_stack.convert.result import Draft, Json
    from fsm_stack.findings.finding import Finding

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
        (SIDECAR_IMAGE, "images.pipy", "pipy"),
        ("misc.repoServerImage", "images.pipyRepo", "pipy-repo"),
    ):
        usual = {"registry": registry, "name": name, "tag": PIPY_VERSIONS[version]}
        if source in dict(leaves(spec)) and at(spec, source) is None:
            draft.drop(f"spec.{source}", "empty: the release's image")
        take_pipy(at(spec, source), f"spec.{source}", target, draft, usual=usual)
    misc = spec.get("misc")
    unknown += [
        _unknown(f"spec.misc.{key}", value)
        for key, value in (misc.items() if isinstance(misc, dict) else ())
        if key != "repoServerImage"
    ]
    if unknown:
        raise FindingsError(tuple(unknown))


def take_pipy(
    value: Any, source: str, target: str, draft: Draft, *, usual: dict[str, str]
) -> None:
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
