"""The Pulumi program of a project; importing it costs nothing."""

from __future__ import annotations

import gc


def run() -> None:
    """Declare the stack that the engine is asked for: all that ``__main__.py`` does.

    The garbage collector rests meanwhile, and leaves alone afterwards what was made: thousands of
    generated classes that stay to the end. It would look through all of them again and again, also
    when the interpreter ends: a fifth of a preview's time.

    Raises:
        RunError: the settings have errors, or cannot be used; the engine shows it without a
            traceback, after every finding at its place.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        from fsm_stack.edges.pulumi_config import declare  # noqa: PLC0415  # while it rests

        declare()
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
