"""The Pulumi program of a project; importing it costs nothing."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run(project: Path | None = None) -> None:
    """Declare the stack that the engine is asked for: all that ``__main__.py`` does.

    As an inline program of the Automation API: ``partial(run, Path("path/of/the/project"))``.

    The garbage collector rests meanwhile, and leaves alone afterwards what was made: thousands of
    generated classes that stay to the end. It would look through all of them again and again, also
    when the interpreter ends: a fifth of a preview's time.

    Args:
        project: the project's directory, where the engine does not say it.

    Raises:
        RunError: the settings have errors, or cannot be used; the engine shows it without a
            traceback, after every finding at its place.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        from fsm_stack.edges.pulumi_config import declare  # noqa: PLC0415  # while it rests

        declare(project)
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
