"""A stack's settings as the files of ``rendered/<stack>``: objects, redirection, release asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.edges.gitops import named, tree
from fsm_stack.edges.release_asset import load_asset
from fsm_stack.errors import FindingsError
from fsm_stack.findings import finding
from fsm_stack.manifests.assets import ReleaseAsset
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.render import redirection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fsm_stack.findings import Finding
    from fsm_stack.settings.stack import StackSettings

_UNKNOWN: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What ``rendered/<stack>`` should hold.

    Attributes:
        files: content by path relative to the stack's directory.
        redirected: what goes through the sidecar and what does not, in lines for people.
        left_out: the file of the release asset when the stack wants it and it is not in ``files``:
            such a tree is for review, the controller does not start with it.
        without: whether it was left out on request.
    """

    files: Mapping[str, bytes]
    redirected: tuple[str, ...]
    left_out: str | None = None
    without: bool = False


def rendering(
    settings: StackSettings,
    project: Path,
    *,
    file: str | None = None,
    without_release_assets: bool = False,
    beside: Path | None = None,
) -> Rendering:
    """Everything that a stack is, as files.

    Args:
        settings: the stack.
        project: the project's directory, which holds the release assets.
        file: the stack's file, for the place of a finding.
        without_release_assets: leave the vendored scripts out, for a review.
        beside: a rendered directory to compare with. Scripts that it holds and that are not
            vendored here are then listed as if they were known.

    Raises:
        FindingsError: ``assets-missing``, when the stack wants vendored scripts, they are not
            here, and neither of the two arguments above says what to do without.
        FsmStackError: when the vendored scripts cannot be used.
    """
    redirected = redirection(settings)
    asset = None
    if wants_asset(settings) and not without_release_assets:
        asset = load_asset(project, settings.fsm_version)
    if asset is not None or not wants_asset(settings):
        files = tree(bundle(settings, asset=asset), redirected.files())
        return Rendering(files=files, redirected=redirected.summary)
    if beside is None and not without_release_assets:
        raise FindingsError((missing(settings).at(file=file),))
    stub = ReleaseAsset(version=settings.fsm_version, sha256=_UNKNOWN, scripts=b"")
    objects = named(bundle(settings, asset=stub))
    key = ("ConfigMap", settings.namespace, settings.release_assets.config_map_name)
    left_out = next(path for path, manifest in objects.items() if manifest.key == key)
    listed = not without_release_assets and beside is not None and (beside / left_out).is_file()
    if not listed:
        del objects[left_out]
    files = tree(objects.values(), redirected.files(), unknown=(left_out,) if listed else ())
    return Rendering(
        files=files,
        redirected=redirected.summary,
        left_out=left_out,
        without=without_release_assets,
    )


def wants_asset(settings: StackSettings) -> bool:
    """Whether the stack declares a control plane with vendored scripts."""
    return settings.system == "fsm" and settings.release_assets.source == "vendored"


def missing(settings: StackSettings) -> Finding:
    """The finding for scripts that are not vendored, with the command that mends it."""
    version = settings.fsm_version
    return finding(
        "assets-missing",
        f"the Pipy scripts of FSM {version} are not vendored in this checkout; "
        f"expected releases/{version}/scripts.tar.gz",
        path="releaseAssets.source",
        value=settings.release_assets.source,
        fix=f"fsm-stack vendor fsm-{version}.tgz; for a review only: --without-release-assets",
    )
