"""What only FSM's release holds, and a stack takes from it: Pipy scripts, dashboards.

Nothing here makes an object, so that whoever asks whether the files are there loads no manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FindingsError
from fsm_stack.findings.finding import finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings

# The key in the ConfigMap, and the file that the controller's init container unpacks.
SCRIPTS_KEY: Final = "scripts.tar.gz"
# Grafana's folder -> key in its ConfigMap -> file of the release's chart.
# Source: flomesh-io/fsm charts/fsm/templates/grafana-configmap.yaml.
DASHBOARDS: Final[Mapping[str, Mapping[str, str]]] = {
    "dataplane": {
        "fsm-pod.json": "grafana/fsm-pod-to-service.json",
        "fsm-workload.json": "grafana/fsm-workload-to-service.json",
        "fsm-service-to-service.json": "grafana/fsm-service-to-service.json",
        "fsm-data-plane-container.json": "grafana/fsm-data-plane-performance.json",
        "fsm-workload-to-workload.json": "grafana/fsm-workload-to-workload.json",
    },
    "controlplane": {
        "fsm-control-plane.json": "grafana/fsm-control-plane.json",
        "fsm-mesh-sidecar-details.json": "grafana/fsm-mesh-sidecar-details.json",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAsset:
    """``scripts.tar.gz`` of one release.

    Attributes:
        version: the FSM release, for example ``1.5.1``.
        sha256: of ``scripts``, 64 hex digits.
        scripts: the archive's bytes, as they go into the ConfigMap.
        texts: the release's other files that a stack may want, dashboards and scripts, by name.
    """

    version: str
    sha256: str
    scripts: bytes
    texts: Mapping[str, str] = field(default_factory=dict)


def wants_asset(settings: StackSettings) -> bool:
    """Whether the stack declares a control plane with vendored scripts."""
    vendored = settings.release_assets.source == "vendored"
    return vendored and settings.profile.declares_control_plane


def assets_missing(settings: StackSettings, name: str = SCRIPTS_KEY) -> Finding:
    """The finding for a file that is not vendored, with the command that mends it."""
    version = settings.fsm_version
    what = "the Pipy scripts of FSM" if name == SCRIPTS_KEY else f"{name} of FSM"
    return finding(
        "assets-missing",
        f"{what} {version} {'are' if name == SCRIPTS_KEY else 'is'} not vendored; "
        f"expected releases/{version}/{name}",
        path="releaseAssets.source",
        value=settings.release_assets.source,
        fix=f"fsm-stack vendor --version {version}; for a review without them: "
        "fsm-stack render --without-release-assets",
    )


def release_text(settings: StackSettings, asset: ReleaseAsset | None, name: str) -> str:
    """A file of the release that is no Pipy script of the sidecars.

    Raises:
        FindingsError: ``assets-missing``.
    """
    text = None if asset is None else asset.texts.get(name)
    if text is None:
        raise FindingsError((assets_missing(settings, name),))
    return text


def egress_script_file(mode: str) -> str:
    """The file of the release that holds the egress gateway's script of a mode."""
    return f"egress-gateway/{mode}.js"


def wanted_texts(settings: StackSettings) -> tuple[str, ...]:
    """The release's files that a stack puts into ConfigMaps, beside the Pipy scripts."""
    wanted: list[str] = []
    if settings.components.grafana.enabled:
        wanted += (file for files in DASHBOARDS.values() for file in files.values())
    if settings.egress_gateway.enabled:
        wanted.append(egress_script_file(settings.egress_gateway.mode))
    return tuple(wanted)
