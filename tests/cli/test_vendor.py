from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.archives import GOOD, SCRIPTS, index, pack, served

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

DIGEST = hashlib.sha256(SCRIPTS).hexdigest()


def test_vendor_says_what_it_took_and_what_is_next(run: Run, project: Path, archive: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    result = run("vendor", "fsm-1.5.1.tgz")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "fsm 1.5.1: releases/1.5.1/scripts.tar.gz, 24 bytes\n"
        f"SHA-256 of the scripts: {DIGEST}\n"
        f"The archive's SHA-256 is recorded, compare it with its publisher's: {digest}\n"
        "Next: git add releases/1.5.1, then fsm-stack render --all\n"
    )
    assert (project / "releases/1.5.1/scripts.tar.gz").read_bytes() == SCRIPTS
    again = run("vendor", "fsm-1.5.1.tgz")
    assert again.stdout.endswith("The archive is the recorded one.\n")


def test_a_given_digest_is_said_to_be_checked(run: Run, archive: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    result = run("vendor", "fsm-1.5.1.tgz", "--sha256", digest, "--version", "1.5.1")
    assert f"is recorded, as given with --sha256: {digest}\n" in result.stdout


def test_what_was_taken_is_data_for_programs(run: Run, archive: Path) -> None:
    taken = document(run("vendor", archive.name, "-o", "json"))
    assert (taken["version"], taken["scriptsSha256"], taken["first"]) == ("1.5.1", DIGEST, True)


def test_an_archive_that_is_not_the_one_is_bad_input(
    run: Run, project: Path, archive: Path
) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    result = run("vendor", "fsm-1.5.1.tgz", "--sha256", "0" * 64)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"fsm-stack: error: fsm-1.5.1.tgz: --sha256: expected SHA-256 {'0' * 64}, found {digest}\n"
    )
    assert not (project / "releases").exists()


def test_a_release_comes_from_the_chart_repository_by_its_digest(
    run: Run, project: Path, archive: Path
) -> None:
    """The index announces the digest; the first one is recorded, and enforced from then on."""
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    pages = {"/index.yaml": index("1.5.1", digest=digest), "/fsm-1.5.1.tgz": content}
    with served(pages) as server:
        result = run("vendor", "--version", "1.5.1", "--repo", server.address)
        assert (result.exit_code, result.stderr) == (0, "")
        assert f"is recorded, as given by the repository: {digest}\n" in result.stdout
        assert (project / "releases/1.5.1/scripts.tar.gz").read_bytes() == SCRIPTS
        named = run("vendor", f"{server.address}/fsm-1.5.1.tgz")
        assert named.stdout.endswith("The archive is the recorded one.\n")
        pages["/fsm-1.5.1.tgz"] = pack(files={**GOOD, "fsm/values.yaml": b"fsm: {x: 1}\n"})
        other = run("vendor", "--version", "1.5.1", "--repo", server.address)
        assert other.exit_code == 2
        assert f"expected SHA-256 {digest}, found " in other.stderr
        pages["/index.yaml"] = index("1.5.1")
        again = run(
            "vendor", "--version", "1.5.1", env={"FSM_STACK_CHART_REPOSITORY": server.address}
        )
        assert again.exit_code == 2
        assert f"asset.json of 1.5.1: expected SHA-256 {digest}, found " in again.stderr


def test_a_repository_that_has_no_such_release_is_bad_input(run: Run) -> None:
    with served({"/index.yaml": index("1.5.0")}) as server:
        result = run("vendor", "--version", "1.5.1", "--repo", server.address)
    assert result.exit_code == 2
    assert "expected chart fsm 1.5.1, found versions 1.5.0" in result.stderr
    assert run("vendor").exit_code == 2
