"""A stack's settings as the files of ``rendered/<stack>``: objects, redirection, release asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.edges.gitops import named, tree
from fsm_stack.edges.release_asset import load_asset
from fsm_stack.manifests.assets import ReleaseAsset, wants_asset
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.render import redirection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fsm_stack.settings.stack import StackSettings

_UNKNOWN: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What ``rendered/<stack>`` should hold.

    Attributes:
        files: content by path relative to the stack's directory.
        redirected: what goes through the sidecar and what does not, in lines for people.
        left_out: the file of the release asset where it was left out on request: the controller
            does not start with such a tree alone.
        listed: whether the compared tree holds that file; its content is then not compared.
    """

    files: Mapping[str, bytes]
    redirected: tuple[str, ...]
    left_out: str | None = None
    listed: bool = False


def rendering(
    settings: StackSettings,
    project: Path,
    *,
    without_release_assets: bool = False,
    beside: Path | None = None,
) -> Rendering:
    """Everything that a stack is, as files.

    Args:
        settings: the stack.
        project: the project's directory, which holds the release assets.
        without_release_assets: leave the vendored scripts out, for a review.
        beside: the rendered directory to compare with, where one is compared.

    Raises:
        FindingsError: ``assets-missing``, when the stack wants vendored scripts and they are not
            here; ``too-large``.
        FsmStackError: when the vendored scripts cannot be used.
    """
    redirected = redirection(settings)
    if not (without_release_assets and wants_asset(settings)):
        asset = load_asset(project, settings.fsm_version) if wants_asset(settings) else None
        files = tree(bundle(settings, asset=asset), redirected.files())
        return Rendering(files=files, redirected=redirected.summary)
    stub = ReleaseAsset(version=settings.fsm_version, sha256=_UNKNOWN, scripts=b"")
    objects = named(bundle(settings, asset=stub))
    key = ("ConfigMap", settings.namespace, settings.release_assets.config_map_name)
    left_out = next(path for path, manifest in objects.items() if manifest.key == key)
    listed = beside is not None and (beside / left_out).is_file()
    if not listed:
        del objects[left_out]
    files = tree(objects.values(), redirected.files(), unknown=(left_out,) if listed else ())
    return Rendering(files=files, redirected=redirected.summary, left_out=left_out, listed=listed)
