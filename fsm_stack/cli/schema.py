"""``fsm-stack schema``: the JSON Schema of stack files, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from fsm_stack.cli.verb import Verb, emit, leave, output_option, project_option

_FILE: Final = Path("schemas", "stack.schema.json")
_MAX: Final = 4 * 1024 * 1024


@click.command(cls=Verb, short_help="Print the JSON Schema of stack files, for editors.")
@click.option("--write", is_flag=True, help=f"Write the project's {_FILE.as_posix()}.")
@click.option("--check", is_flag=True, help="Exit with 1 when that file is stale.")
@output_option
@project_option
def schema(*, write: bool, check: bool, project_dir: Path) -> None:
    """Print the JSON Schema of Pulumi.<stack>.yaml, made from the settings' models.

    An editor with a YAML language server completes and checks stack files that name it in their
    first line.
    """
    if write and check:
        raise click.UsageError("--write and --check: expected one of the two")
    text = _text()
    if not (write or check):
        emit(json.loads(text), (text.rstrip("\n"),))
        return
    shown, current = _compared(project_dir, text, write=write)
    state = "current" if current else "written" if write else "stale"
    mend = "; run: fsm-stack schema --write" if state == "stale" else ""
    emit({"file": shown, "state": state}, (f"{shown}: {state}{mend}",))
    leave(failed=state == "stale")


def _text() -> str:
    from fsm_stack.settings.json_schema import stack_schema

    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


def _compared(project_dir: Path, text: str, *, write: bool) -> tuple[str, bool]:
    """The file as messages name it, and whether it was current; then it is, if asked."""
    from fsm_stack.edges.files import read_file, write_file
    from fsm_stack.edges.project import find_project

    project = find_project(project_dir)
    path = project.directory / _FILE
    shown = project.shown(path)
    current = read_file(path, limit=_MAX, shown=shown) == text.encode()
    if write and not current:
        write_file(path, text.encode(), shown=shown)
    return shown, current
