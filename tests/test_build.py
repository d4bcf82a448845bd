"""tools/build: what it does when Go cannot do its part."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).parent.parent / "tools/build"


@pytest.mark.parametrize("fails", ["mod download", "mod tidy"])
def test_another_kubernetes_that_cannot_be_had_is_not_built(tmp_path: Path, fails: str) -> None:
    """Else Go would build whatever module it stands in, and complain of that."""
    asked = tmp_path / "asked"
    module = tmp_path / "go.mod"
    module.write_text("replace k8s.io/api => ./staging/src/k8s.io/api\n")
    go = tmp_path / "bin/go"
    go.parent.mkdir()
    go.write_text(
        f'#!/bin/sh\necho "$1 $2" >>"{asked}"\n'
        f'[ "$1 $2" != "{fails}" ] || {{ echo "no such version" >&2; exit 1; }}\n'
        f'echo \'"GoMod": "{module}"\'\n'
    )
    go.chmod(0o755)
    done = subprocess.run(
        [BUILD, "kubectl"],
        env={
            "PATH": f"{go.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "FSM_STACK_KUBE_VERSION": "v1.99.0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no such version" in done.stderr
    assert asked.read_text().splitlines()[-1] == fails
