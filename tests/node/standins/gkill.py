"""The sidecar's preStop: nobody is served any more, so nobody is waited for."""

from __future__ import annotations


def main() -> None:
    """End at once."""
