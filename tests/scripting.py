"""JavaScript of the product, run by Node.js and in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")


def in_node(program: str, given: str) -> str:
    """What a program prints that reads ``given`` from standard input."""
    if NODE is None:
        reason = "needs Node.js (apt-get install nodejs), which runs the page's JavaScript"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    done = subprocess.run(
        [NODE, "-e", program],
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_browser(file: Path, fragment: str = "") -> str:
    """The document of a file as a browser has it once its scripts ran."""
    return browsed(f"{file.as_uri()}{fragment}", file.parent / "browser")


def browsed(address: str, profile: Path) -> str:
    """The same of an address; whatever the browser complains of fails the test.

    No name resolves, so that a page that asks another host is complained of.
    """
    if CHROMIUM is None:
        reason = "needs a browser (apt-get install chromium), which opens the page"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--virtual-time-budget=4000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--enable-logging=stderr", "--dump-dom", address,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    refused = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert refused == []
    return done.stdout
