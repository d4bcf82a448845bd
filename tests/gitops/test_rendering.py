from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from fsm_stack.gitops.rendering import rendering
from fsm_stack.redirection import scopes as render
from tests.settings.loading import settings

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.iptables.rule import Ruleset

STACK = {
    "releaseAssets": {"source": "existingConfigMap"},
    "traffic": {"outboundPortExclusionList": [6379]},
    "annotationProfiles": {
        "api": {"presets": ["cloud-metadata"]},
        "web": {"inboundPortExclusionList": [8080]},
    },
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every script that is rendered from here on."""
    scripts: list[str] = []
    original = render.write_restore

    def counted(ruleset: Ruleset) -> str:
        scripts.append(original(ruleset))
        return scripts[-1]

    monkeypatch.setattr(render, "write_restore", counted)
    return scripts


def test_each_script_is_rendered_once_for_all_files(written: list[str], tmp_path: Path) -> None:
    """ConfigMap, scripts, annotations and digests are of one redirection, worked out once."""
    files = rendering(settings(STACK), tmp_path).files

    assert len(written) == 3  # the mesh's and two profiles'
    (config_map,) = (path for path in files if "configmap-fsm-redirection" in path)
    data = yaml.safe_load(files[config_map])["data"]
    known, digests = (
        json.loads(data["redirection.json"]),
        json.loads(files["redirection/digests.json"]),
    )
    assert data["settingsDigest"] == digests["settingsDigest"]
    assert known["mesh"]["digest"] == digests["mesh"]
    assert {name: one["digest"] for name, one in known["profiles"].items()} == digests["profiles"]
