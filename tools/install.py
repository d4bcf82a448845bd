"""Install a lock file and this package into the environment that runs this, and say how it goes.

pip works for a minute without a word, and ends with a page of them where there is no network. This
counts the libraries while pip works, and says what to do when it fails.

    python tools/install.py LOCK WHAT
    python tools/install.py --wheels FOLDER LOCK WHAT
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parent.parent
_PINNED: Final = re.compile(r"^[A-Za-z0-9][^ =]*==", re.MULTILINE)
_TAKEN: Final = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)")
_EVERY: Final = 5.0  # seconds between two lines where they cannot replace one another


class Hint(NamedTuple):
    """What pip says, what it means, and what to do."""

    said: str
    means: str
    do: str


OFFLINE: Final = (
    "Behind a proxy, set HTTPS_PROXY. With a mirror, set PIP_INDEX_URL to its simple index. "
    "Without a network, run `make wheels` where there is one, copy the folder, and set "
    "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it."
)
# The first that is found counts.
HINTS: Final = (
    Hint(
        r"DO NOT MATCH THE HASHES|Hashes are required",
        "a file is another one than the lock names: a mirror that builds anew, or an attack",
        "Use an index that serves the published files.",
    ),
    Hint(
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "the index's certificate is not trusted here",
        "Set PIP_CERT to the file of your organisation's certificates.",
    ),
    Hint(r"40[137] Client Error|407 Proxy", "the index or the proxy refuses", OFFLINE),
    Hint(
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|"
        r"Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|ProxyError|"
        r"Connection aborted|No route to host|from versions: none",
        "no package index was reached, or one that has nothing of this",
        OFFLINE,
    ),
    Hint(
        r"No matching distribution found|Could not find a version",
        "the index, or the folder of PIP_FIND_LINKS, does not have the version that the lock "
        "names for this Python",
        "Use Python 3.11 to 3.14, and an index that is up to date. " + OFFLINE,
    ),
    Hint(r"No space left on device", "the disk is full", "Make room, and run it again."),
)


def hint(said: str) -> str | None:
    """What to do about pip's words; None: they stand for themselves."""
    for one in HINTS:
        if re.search(one.said, said):
            return f"{one.means}. {one.do}"
    return None


def pip(*words: str) -> list[str]:
    """The command line of pip in this environment."""
    return [sys.executable, "-m", "pip", *words, "--disable-pip-version-check", "--no-input"]


def told(command: list[str], total: int, shown: str) -> tuple[int, str]:
    """Run pip, count what it takes; its exit code and its words."""
    words: list[str] = []
    count, before = 0, time.monotonic()
    live = sys.stderr.isatty()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:
        for line in running.stdout or ():
            words.append(line)
            count += bool(_TAKEN.match(line))
            now = time.monotonic()
            if live or now - before > _EVERY:
                before = now
                state = "installing" if line.startswith("Installing") else "fetching"
                progress = f"{shown}: {state}, {min(count, total)} of {total} libraries"
                sys.stderr.write(f"\r{progress}\033[K" if live else f"{progress}\n")
                sys.stderr.flush()
    if live:
        sys.stderr.write("\r\033[K")
    return running.returncode, "".join(words)


def run(commands: Iterable[list[str]], total: int, what: str) -> int:
    """Every command; the first that fails ends it, with pip's words and what to do about them."""
    started = time.monotonic()
    sys.stderr.write(f"fsm-stack: setting up {what}\n")
    for command in commands:
        code, words = told(command, total, "fsm-stack")
        if code != 0:
            errors = [line for line in words.splitlines() if line.startswith(("ERROR", "WARNING"))]
            shown = "\n".join(dict.fromkeys(errors)) or words.rstrip()
            advice = hint(words)
            sys.stderr.write(f"{shown}\nfsm-stack: pip failed")
            sys.stderr.write(f": {advice}\n" if advice else "; what it said stands above\n")
            return 1
    sys.stderr.write(f"fsm-stack: done in {time.monotonic() - started:.0f} s\n")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when everything is installed, 1 when pip failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", metavar="FOLDER", help="only download, into this folder")
    parser.add_argument("lock", type=Path, help="the lock file")
    parser.add_argument("what", help="what it brings, for people")
    given = parser.parse_args(arguments)
    lock = ROOT / given.lock
    total = len(_PINNED.findall(lock.read_text(encoding="utf-8")))
    locked = ("--require-hashes", "-r", str(lock))
    if given.wheels:
        return run([pip("download", "--dest", given.wheels, *locked)], total, given.what)
    package = pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    return run([pip("install", *locked), package], total, given.what)


if __name__ == "__main__":
    sys.exit(main())
