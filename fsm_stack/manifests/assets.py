"""The release asset that a stack carries: the Pipy scripts of one FSM release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.findings import finding

if TYPE_CHECKING:
    from fsm_stack.findings import Finding
    from fsm_stack.settings.stack import StackSettings


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
    return settings.system == "fsm" and settings.release_assets.source == "vendored"


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
