"""Shorthands for the mesh's settings in tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from fsm_stack.settings.models.mesh import MeshSettings


def mesh(**sections: Any) -> MeshSettings:
    """Settings as a stack file gives them: from JSON, under upstream's names."""
    return MeshSettings.model_validate_json(json.dumps(sections))


def refused(**sections: Any) -> tuple[str, str, str, str]:
    """Path, id, message and fix of the one problem of the settings."""
    with pytest.raises(ValidationError) as caught:
        mesh(**sections)
    (error,) = caught.value.errors()
    path = ".".join(str(part) for part in error["loc"])
    return path, error["type"], error["msg"], error.get("ctx", {}).get("fix", "")
