"""The wheel, built of this checkout, and environments that have it: nothing is downloaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
# What leads Python from an environment to another one.
LEADING = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")


def build(folder: Path) -> Path:
    """The wheel, in this folder."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def closure(wanted: Iterable[Requirement]) -> Iterator[str]:
    """The names of what an installation of these would bring."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(wanted)
    while waiting:
        one = waiting.pop()
        key = (one.name.casefold(), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        yield one.name
        for text in requires(one.name) or ():
            more = Requirement(text)
            extras = one.extras or {""}
            if more.marker is None or any(more.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(more)


class Installed:
    """A fresh environment with the wheel, and of this one's libraries those that it asks for."""

    def __init__(self, folder: Path, wheel: Path, *extras: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.bin = folder / "bin"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--quiet", "--python", self.bin / "python"),
                *("install", "--no-index", "--no-deps", "--no-compile", wheel),
            ],
            check=True,
            capture_output=True,
        )
        supply(folder, wheel, *extras)

    def run(
        self, *words: str, cwd: Path, code: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """A program of the environment; it must end with this code."""
        environment = {key: value for key, value in os.environ.items() if key not in LEADING}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", **variables}
        done = subprocess.run(
            [self.bin / words[0], *words[1:]],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


def supply(folder: Path, wheel: Path, *extras: str) -> None:
    """Give a virtual environment the libraries that the wheel asks for, of this one's."""
    (site,) = folder.glob("lib/python*/site-packages")
    for name in closure(wanted(wheel, *extras)):
        link(name, site)


def wanted(wheel: Path, *extras: str) -> list[Requirement]:
    """What the wheel asks for with these extras."""
    with zipfile.ZipFile(wheel) as archive:
        (about,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(about).decode()
    found = [Requirement(one) for one in re.findall(r"^Requires-Dist: (.+)$", text, re.MULTILINE)]
    return [
        one
        for one in found
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras or ("",))
    ]


def link(name: str, site: Path) -> None:
    """Show a library of this environment in another one."""
    try:
        files = distribution(name).files or ()
    except PackageNotFoundError:  # of another platform
        return
    tops = {Path(str(file)).parts[0] for file in files}
    for top in tops - {"..", "__pycache__"}:
        place = site / top
        if not place.exists():
            place.symlink_to(Path(str(distribution(name).locate_file(top))))
