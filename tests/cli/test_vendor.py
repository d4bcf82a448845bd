from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.archives import SCRIPTS

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
