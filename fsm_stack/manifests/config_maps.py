"""The release's Pipy scripts as an asset, and the ConfigMaps beside the preset."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import finding
from fsm_stack.manifests.manifest import Manifest, Part, Wave, common_labels, metadata
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME, REDIRECTION_KEY, config_map_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.redirection.scopes import Redirection
    from fsm_stack.settings.models.stack import StackSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAsset:
    """``scripts.tar.gz`` of one release.

    Attributes:
        version: the FSM release, for example ``1.5.1``.
        sha256: of ``scripts``, 64 hex digits.
        scripts: the archive's bytes, as they go into the ConfigMap.
    """

    version: str
    sha256: str
    scripts: bytes


def wants_asset(settings: StackSettings) -> bool:
    """Whether the stack declares a control plane with vendored scripts."""
    vendored = settings.release_assets.source == "vendored"
    return vendored and settings.profile.declares_control_plane


def assets_missing(settings: StackSettings) -> Finding:
    """The finding for scripts that are not vendored, with the command that mends it."""
    version = settings.fsm_version
    return finding(
        "assets-missing",
        f"the Pipy scripts of FSM {version} are not vendored in this checkout; "
        f"expected releases/{version}/scripts.tar.gz",
        path="releaseAssets.source",
        value=settings.release_assets.source,
        fix=f"fsm-stack vendor fsm-{version}.tgz; for a review without them: "
        "fsm-stack render --without-release-assets",
    )


# The key in the ConfigMap, and the file that the controller's init container unpacks.
SCRIPTS_KEY: Final = "scripts.tar.gz"

# Source: k8s.io/kubernetes pkg/apis/core, MaxSecretSize, which holds for ConfigMaps too.
CONFIG_MAP_MAX: Final = 1024 * 1024


def _config_map(
    about: dict[str, Any],
    part: Part,
    repeats: tuple[str, ...] = (),
    **content: Mapping[str, str],
) -> Manifest:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, **content}
    return Manifest(object=config_map, part=part, wave=Wave.FOUNDATION, repeats=repeats)


def pipy_scripts(settings: StackSettings, asset: ReleaseAsset | None) -> tuple[Manifest, ...]:
    """The release's Pipy scripts, unless others declare them or the stack goes without.

    Raises:
        FindingsError: ``assets-missing``: the stack wants them and they are not there.
        InputError: they are another release's.
    """
    if settings.release_assets.source != "vendored":
        return ()
    version = settings.fsm_version
    if asset is None:
        raise FindingsError((assets_missing(settings),))
    if asset.version != version:
        raise InputError(
            f"the Pipy scripts are those of FSM {asset.version}, expected FSM {version}"
        )
    about = metadata(settings, settings.release_assets.config_map_name)
    encoded = base64.b64encode(asset.scripts).decode("ascii")
    return (_config_map(about, Part.CONTROL_PLANE, binaryData={SCRIPTS_KEY: encoded}),)


def redirection_config_map(settings: StackSettings, redirected: Redirection) -> Manifest:
    """What the stack redirects, so that a cluster can be checked without the stack file.

    Raises:
        FindingsError: ``too-large``: the API server would refuse the ConfigMap.
    """
    about = {
        "name": CONFIG_MAP_NAME,
        "namespace": settings.namespace,
        "labels": common_labels(settings),
    }
    data = config_map_data(redirected)
    size = sum(len(key) + len(value.encode()) for key, value in data.items())
    if size > CONFIG_MAP_MAX:
        message = (
            f"expected lists of at most {CONFIG_MAP_MAX} bytes for ConfigMap {CONFIG_MAP_NAME}, "
            f"got {size}: the mesh's lists count once for itself and once for each profile"
        )
        raise FindingsError((finding("too-large", message, path="traffic"),))
    return _config_map(about, Part.MESH_CONFIG, repeats=(f'data["{REDIRECTION_KEY}"]',), data=data)
