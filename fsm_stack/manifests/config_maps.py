"""The ConfigMaps beside the preset: the Pipy scripts, and what the stack redirects."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings import finding
from fsm_stack.manifests.assets import assets_missing
from fsm_stack.manifests.labels import common_labels, metadata
from fsm_stack.manifests.manifest import Manifest, Part, Wave
from fsm_stack.redirection.render import CONFIG_MAP_NAME, REDIRECTION_KEY, config_map_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.manifests.assets import ReleaseAsset
    from fsm_stack.redirection.render import Redirection
    from fsm_stack.settings.stack import StackSettings

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
