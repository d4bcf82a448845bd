"""A stack as Pulumi resources; here the program of a project, which costs nothing to import."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import require_extra

if TYPE_CHECKING:
    from pathlib import Path


require_extra("pulumi")

# A program that has said all there is to say ends so; with any other code the engine adds that it
# failed. Source: pulumi sdk/python/cmd/pulumi-language-python-exec.
SAID: Final = 32


def main() -> None:
    """What ``__main__.py`` does: the program in a process of the language host."""
    import pulumi  # noqa: PLC0415  # importing this module costs nothing

    try:
        run()
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        sys.exit(SAID)


def run(project: Path | None = None) -> None:
    """Declare the stack that the engine is asked for.

    As an inline program of the Automation API: ``partial(run, Path("path/of/the/project"))``.

    The garbage collector rests meanwhile, and never looks at what was made: thousands of generated
    classes that stay to the end. Without that a preview takes a quarter more time.

    Args:
        project: the project's directory, where the engine does not say it.

    Raises:
        RunError: the settings have errors, or cannot be used; the engine shows no traceback.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        from fsm_stack.pulumi.config import declare  # noqa: PLC0415  # while it rests

        declare(project)
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
