#!/usr/bin/env python3
"""Print the changelog's entry of a tag, and refuse one that is not ready to be released.

    tools/changelog.py v0.1.0

The tag has to be the package's version, and its entry has to have a date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def entry(changelog: str, version: str) -> str:
    """The text under ``## <version> - <date>``.

    Raises:
        ValueError: there is no such entry, or it is empty.
    """
    head = rf"^## {re.escape(version)} - \d{{4}}-\d{{2}}-\d{{2}}$"
    match = re.search(rf"{head}\n(.*?)(?=^## |\Z)", changelog, flags=re.MULTILINE | re.DOTALL)
    if match is None or not match.group(1).strip():
        raise ValueError(f"CHANGELOG.md: expected an entry '## {version} - <date>' with text")
    return match.group(1).strip()


def main(arguments: list[str]) -> int:
    """Print the entry; 1 and the reason where there is none."""
    (tag,) = arguments
    about = (ROOT / "fsm_stack/__about__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'__version__ = "(.+)"', about)
    if tag != f"v{version}":
        print(f"{tag}: expected v{version}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        text = entry((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(text)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
