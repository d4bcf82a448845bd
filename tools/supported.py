#!/usr/bin/env python3
"""Keep the results of the nightly suites, and write docs/supported.md from them.

    tools/supported.py record "Kubernetes v1.34.2" cluster success     one result, into results/
    tools/supported.py write                                           the page, from results/

A combination whose suite did not run has no row: the page claims only what was seen.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("results")
PAGE = ROOT / "docs/supported.md"
HEAD = """# What is supported

Written by `tools/supported.py` from what the suites said. A row is a whole suite; a combination
without a row was not tried as a whole. Some tests ask API servers of other versions by
themselves, such as those of [the guard](guard.md).

| with | suite | result | seen |
| --- | --- | --- | --- |
"""


def record(what: str, suite: str, status: str) -> None:
    """Write one result as a file of its own, so that parallel jobs do not meet."""
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{what}-{suite}")
    today = datetime.now(UTC).date().isoformat()
    row = {"what": what, "suite": suite, "status": status, "seen": today}
    (RESULTS / f"{name}.json").write_text(json.dumps(row) + "\n", encoding="utf-8")


def table(rows: list[dict[str, str]]) -> str:
    """The page: a row a result, by what it was with and by suite."""
    word = {"success": "passes", "failure": "fails", "cancelled": "did not end"}
    lines = [
        f"| {row['what']} | `make test-{row['suite']}` | "
        f"{word.get(row['status'], row['status'])} | {row['seen']} |"
        for row in sorted(rows, key=lambda row: (row["what"], row["suite"]))
    ]
    return HEAD + "\n".join(lines).replace("`make test-test`", "`make test`") + "\n"


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    match arguments:
        case ["record", what, suite, status]:
            record(what, suite, status)
        case ["write"]:
            files = sorted(RESULTS.glob("*.json"))
            if not files:
                print(f"{RESULTS}: no result to write a page from", file=sys.stderr)  # noqa: T201
                return 1
            rows = [json.loads(file.read_text(encoding="utf-8")) for file in files]
            PAGE.write_text(table(rows), encoding="utf-8")
        case _:
            print(__doc__, file=sys.stderr)  # noqa: T201  # the usage
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
