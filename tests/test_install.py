"""tools/install.py: what a first set-up says while pip works, and when it fails."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "tools/install.py"


def wheel(folder: Path, name: str) -> str:
    """A wheel of nothing; its digest."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        rows.append(f"{path},sha256={digest.rstrip('=')},{len(text)}")
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{about}/RECORD", "\n".join([*rows, f"{about}/RECORD,,", ""]))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def install(lock: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The tool as make runs it, without an index; what it would install is only downloaded."""
    (folder / "lock.txt").write_text(lock)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run(
        [sys.executable, TOOL, "--wheels", folder / "got", folder / "lock.txt", "two libraries"],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_says_what_it_sets_up_and_when_it_is_done(tmp_path: Path) -> None:
    names = ("first_one", "second_one")
    lock = "".join(f"{name}==1.0 --hash=sha256:{wheel(tmp_path, name)}\n" for name in names)
    done = install(lock, tmp_path, PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "fsm-stack: setting up two libraries"
    assert re.fullmatch(r"fsm-stack: done in \d+ s", lines[-1])
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == [
        "first_one-1.0-py3-none-any.whl",
        "second_one-1.0-py3-none-any.whl",
    ]


def test_without_an_index_it_names_the_three_ways_out(tmp_path: Path) -> None:
    """Of itself pip says that there is no version of a library that everybody has."""
    lock = f"first_one==1.0 --hash=sha256:{'0' * 64}\n"
    done = install(lock, tmp_path, PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said == (
        "fsm-stack: pip failed: no package index was reached, or one that has nothing of this. "
        "Behind a proxy, set HTTPS_PROXY. With a mirror, set PIP_INDEX_URL to its simple index. "
        "Without a network, run `make wheels` where there is one, copy the folder, and set "
        "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it."
    )
    assert "No matching distribution found for first_one==1.0" in done.stderr


def test_a_refused_connection_is_told_from_a_library_that_is_not_there(tmp_path: Path) -> None:
    """Nobody listens on port 9 of loopback."""
    lock = f"first_one==1.0 --hash=sha256:{'0' * 64}\n"
    address = "http://127.0.0.1:9/simple"
    done = install(lock, tmp_path, PIP_NO_INDEX="0", PIP_INDEX_URL=address, PIP_RETRIES="1")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "fsm-stack: pip failed: no package index was reached" in done.stderr


def test_another_file_than_the_locks_is_not_taken(tmp_path: Path) -> None:
    wheel(tmp_path, "first_one")
    lock = f"first_one==1.0 --hash=sha256:{'0' * 64}\n"
    done = install(lock, tmp_path, PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "fsm-stack: pip failed: a file is another one than the lock names: a mirror that builds "
        "anew, or an attack. Use an index that serves the published files."
    )


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("requirements-base.txt", "requirements.txt"),
        ("requirements.txt", "requirements-dev.txt"),
    ],
)
def test_a_larger_lock_holds_the_smaller_one(smaller: str, larger: str) -> None:
    """Make takes an environment of the larger one for one of the smaller."""
    pins = [
        set(re.findall(r"^[A-Za-z0-9][^ ]*==[^ ]+", (ROOT / name).read_text(), re.MULTILINE))
        for name in (smaller, larger)
    ]
    assert pins[0]
    assert pins[0] < pins[1]


def test_render_needs_neither_pulumi_nor_kubernetes() -> None:
    """README's first command fetches 8 MB, not 35."""
    lock = (ROOT / "requirements-base.txt").read_text()
    assert not re.search(r"^(pulumi|kubernetes|grpcio)", lock, re.MULTILINE)
    dry = subprocess.run(
        ["make", "--dry-run", "--always-make", "render"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert re.findall(r"tools/install\.py (\S+)", dry) == ["requirements-base.txt"]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...'))",
            "the index's certificate is not trusted here. Set PIP_CERT",
        ),
        (
            "ERROR: HTTP error 403 while getting ...: 403 Client Error: Forbidden",
            "the index or the proxy refuses. Behind a proxy, set HTTPS_PROXY",
        ),
        (
            "NewConnectionError: Failed to establish: Temporary failure in name resolution",
            "no package index was reached, or one that has nothing of this. Behind a proxy",
        ),
        (
            "ERROR: Could not find a version that satisfies x==2 (from versions: 1.0)",
            "the index, or the folder of PIP_FIND_LINKS, does not have the version",
        ),
        ("OSError: [Errno 28] No space left on device", "the disk is full. Make room"),
    ],
)
def test_each_failure_of_pip_has_its_way_out(said: str, means: str) -> None:
    told = runpy.run_path(str(TOOL))["hint"](said)
    assert told.startswith(means)


def test_what_is_not_known_is_left_to_pip() -> None:
    assert runpy.run_path(str(TOOL))["hint"]("ERROR: something new") is None
