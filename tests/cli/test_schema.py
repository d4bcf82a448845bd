from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_the_schema_is_written_checked_and_found_stale(run: Run, project: Path) -> None:
    """Editors read the file; a job keeps it fresh."""
    stale = run("schema", "--check")
    assert (stale.exit_code, stale.stdout) == (
        1,
        "schemas/stack.schema.json: stale; run: fsm-stack schema --write\n",
    )
    assert run("schema", "--write").stdout == "schemas/stack.schema.json: written\n"
    assert run("schema", "--write").stdout == "schemas/stack.schema.json: current\n"
    current = run("schema", "--check", "-o", "json")
    assert current.exit_code == 0
    assert document(current) == {"file": "schemas/stack.schema.json", "state": "current"}
    (project / "schemas/stack.schema.json").write_text("{}")
    assert run("schema", "--check").exit_code == 1


def test_the_schema_is_printed_as_it_is_written(run: Run, project: Path) -> None:
    run("schema", "--write")
    assert run("schema").stdout == (project / "schemas/stack.schema.json").read_text()
    assert document(run("schema", "-o", "json"))["type"] == "object"


def test_write_and_check_contradict_each_other(run: Run) -> None:
    result = run("schema", "--write", "--check")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --write and --check: expected one of the two\n")
