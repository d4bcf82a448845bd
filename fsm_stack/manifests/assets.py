"""The release asset that a stack carries: the Pipy scripts of one FSM release."""

from __future__ import annotations

from dataclasses import dataclass


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
