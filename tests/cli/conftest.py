"""A project of its own for each test, and the command line against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from tests.archives import written_archive

if TYPE_CHECKING:
    from pathlib import Path

DEV = """\
config:
  fsm-stack:releaseAssets:
    source: existingConfigMap
  fsm-stack:traffic:
    outboundPortExclusionList: [6379]
"""
STAGING = """\
config:
  fsm-stack:traffic:
    outboundPortExclusionList:
      - {value: 6379, reason: Redis, owner: data-team, until: "2020-01-01"}
  fsm-stack:enrolledNamespaces:
    - {name: shop}
"""
BROKEN = """\
config:
  fsm-stack:traffic:
    outboundPortExclusionList: [70000]
  fsm-stack:trafic: {}
"""

Run = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    (tmp_path / "Pulumi.staging.yaml").write_text(STAGING)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    """The command line, started in the project; a traceback fails the test."""

    def started(*arguments: str, env: dict[str, str] | None = None) -> Result:
        words = list(arguments)
        if words and words[0] in {"render", "validate", "bypasses", "schema", "vendor"}:
            words[1:1] = ["-C", str(project)]
        result = CliRunner(env={"NO_COLOR": "1"} | (env or {})).invoke(
            cli, words, prog_name="fsm-stack"
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return started


@pytest.fixture
def archive(project: Path) -> Path:
    """A chart archive of FSM 1.5.1."""
    return written_archive(project)


def shown(result: Result) -> str:
    """What was printed, without what every port of a mesh's list is told: these stacks have one."""
    lines = result.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if "[excludes-mesh-port]" not in line)


def document(result: Result) -> Any:
    """What ``--output json`` printed: one JSON document and nothing else."""
    return json.loads(result.stdout)
