"""The cyclic garbage collector at rest, while many objects are made that stay."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def resting() -> Iterator[None]:
    """Collect nothing meanwhile, and leave alone afterwards what was made.

    Decoded JSON has no cycles. The collector would look through all of a mesh's pods again and
    again: a fifth of the time that 10,000 of them take.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
