from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .apiserver import NotInstalledError, ServerError, find, serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster

PLACES = ("KUBEBUILDER_ASSETS", "PATH", "FSM_STACK_KUBE_ASSETS")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Every place where a program is looked for, each an empty folder of the test's own."""
    folders = {name: tmp_path / name for name in PLACES}
    for name, folder in folders.items():
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    return folders


def install(folder: Path, program: str, script: str = "exit 0") -> Path:
    binary = folder / program
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return binary


def test_assets_of_envtest_come_before_path_and_our_own_build(places: dict[str, Path]) -> None:
    """A machine that has the programs should not have to build them."""
    for place in reversed(PLACES):
        binary = install(places[place], "etcd")
        assert find("etcd") == binary


@pytest.mark.usefixtures("places")
def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    """This is the reason that a skipped test shows."""
    with pytest.raises(NotInstalledError) as missing:
        serve(tmp_path).__enter__()

    assert str(missing.value) == "etcd is not on this machine: `make test-cluster` builds it"


def test_a_program_that_ends_is_an_error_with_its_log(
    places: dict[str, Path], tmp_path: Path
) -> None:
    """A wait for something that is dead already would hide why it died."""
    install(places["PATH"], "etcd", "echo no space left; exit 3")
    install(places["PATH"], "kube-apiserver", "exec /bin/sleep 60")

    with pytest.raises(ServerError) as ended:
        serve(tmp_path).__enter__()

    assert str(ended.value) == (
        "etcd ended with code 3 before the API server's certificate is written\n"
        "--- the end of etcd's log:\n"
        "no space left"
    )
