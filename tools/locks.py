"""Resolve the lock files from pyproject.toml, or say whether they are current.

uv resolves; all of them carry hashes, name no index, and hold for every platform. One library has
one version in all of them but the policy pack's, which has a lock of its own: its SDK wants an
older protobuf.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPTIONS = (
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-header",
    "--quiet",
)
EXTRAS = ("--extra", "pulumi", "--extra", "cluster")
LOCKS = {
    # What the Pulumi engine runs the program with, and what asks a cluster.
    "requirements.txt": (*EXTRAS, "--group", "build"),
    # The command line alone.
    "requirements-base.txt": ("--group", "build", "-c", "requirements.txt"),
    # The image's command: it asks clusters, and runs no engine.
    "requirements-image.txt": ("--extra", "cluster", "--group", "build", "-c", "requirements.txt"),
    "requirements-dev.txt": (
        *EXTRAS,
        *("--group", "build", "--group", "dev", "-c", "requirements.txt"),
    ),
    "policy/requirements.txt": ("--extra", "pulumi", "policy/requirements.in"),
}
SOURCES = ("pyproject.toml", "policy/requirements.in")


def resolve(folder: Path, *, upgrade: bool) -> None:
    """Write all locks into a folder; pins that are there already are kept unless upgraded."""
    for name, groups in LOCKS.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *groups]
        command += ["--upgrade"] if upgrade else []
        subprocess.run([*command, "pyproject.toml", "-o", name], cwd=folder, check=True)


def main() -> int:
    """Exit 0 when the locks are current or were written, 1 when they are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    arguments = parser.parse_args()
    if not arguments.check:
        resolve(ROOT, upgrade=arguments.upgrade)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in (*SOURCES, *LOCKS):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        resolve(folder, upgrade=False)
        stale = False
        for name in LOCKS:
            now = (ROOT / name).read_text().splitlines()
            then = (folder / name).read_text().splitlines()
            diff = list(
                difflib.unified_diff(now, then, name, f"{name} resolved", lineterm="", n=1)
            )
            stale = stale or bool(diff)
            sys.stdout.writelines(f"{line}\n" for line in diff)
    if stale:
        sys.stdout.write("The locks do not follow pyproject.toml. Run: make lock\n")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
