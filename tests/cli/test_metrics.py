"""``verify --metrics`` and ``--listen`` as they are typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from fsm_stack.verify.metrics import CONTENT_TYPE
from tests.verify.world import DEV, world

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "from fsm_stack.cli.main import main; main()"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    items = {"apiVersion": "v1", "kind": "List", "items": world().objects}
    (tmp_path / "mesh.json").write_text(json.dumps(items))
    return tmp_path


def words(project: Path, *more: str) -> list[str]:
    return ["verify", "dev", "-C", str(project), "--from", str(project / "mesh.json"), *more]


def run(project: Path, *more: str) -> Result:
    return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words(project, *more))


def test_a_file_of_metrics_is_written_beside_the_report(project: Path) -> None:
    """The node exporter reads whole files named *.prom: the draft has another name."""
    file = project / "textfile/fsm.prom"

    plain, told = run(project), run(project, "--metrics", str(file))

    assert (told.exit_code, plain.exit_code) == (0, 0)
    assert told.stdout.splitlines()[:-1] == plain.stdout.splitlines()[:-1]
    assert "fsm_stack_verify_complete 1\n" in file.read_text()
    assert [one.name for one in file.parent.iterdir()] == ["fsm.prom"]


def test_a_file_that_cannot_be_written_is_bad_input(project: Path) -> None:
    result = run(project, "--metrics", str(project))

    assert result.exit_code == 2
    assert result.stderr == f"fsm-stack: error: {project}: expected a regular file\n"


def test_metrics_are_served_until_one_scrape(project: Path) -> None:
    """Any other request does not count; the exit code is the report's."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words(project, "--listen", "127.0.0.1:0")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = re.fullmatch(
                r"metrics: (http://127\.0\.0\.1:\d+/metrics), for one scrape\n",
                process.stderr.readline(),
            )
            assert said is not None
            with pytest.raises(HTTPError, match="404") as missing:
                urlopen(said[1].replace("/metrics", "/"), timeout=10)  # noqa: S310  # of this test's own
            missing.value.close()
            assert process.poll() is None
            with urlopen(said[1], timeout=10) as answer:  # noqa: S310  # likewise
                assert answer.headers["Content-Type"] == CONTENT_TYPE
                assert "fsm_stack_verify_pods " in answer.read().decode()
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("127.0.0.1", "'127.0.0.1': expected ADDRESS:PORT or :PORT"),
        (":70000", "'127.0.0.1:70000': expected a port from 0 to 65535"),
        ("prometheus:9090", "'prometheus': expected an IPv4 or IPv6 address"),
    ],
)
def test_an_address_has_a_port(project: Path, value: str, why: str) -> None:
    result = run(project, "--listen", value)

    assert result.exit_code == 2
    assert why in result.stderr


def test_an_address_of_another_machine_is_bad_input(project: Path) -> None:
    """192.0.2.0/24 is for documentation: no machine has it."""
    result = run(project, "--listen", "192.0.2.1:9090")

    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: --listen 192.0.2.1:9090: cannot listen there: Cannot assign requested "
        "address\n"
    )


def test_a_walk_of_one_connection_has_no_metrics(project: Path) -> None:
    result = run(project, "--why", "10.0.0.8:80", "--metrics", "x.prom")

    assert result.exit_code == 2
    assert "--why: expected it without --metrics and --listen" in result.stderr
