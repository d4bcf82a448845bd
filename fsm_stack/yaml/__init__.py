"""YAML and JSON text: read with places, within bounds; written deterministically."""

from __future__ import annotations

from typing import Any

# A mapping of JSON: a Kubernetes object, or a part of one.
Json = dict[str, Any]
