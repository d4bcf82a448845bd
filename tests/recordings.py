"""Recordings of upstream's programs, which lie beside the checkout and not in it.

Where they are absent, the tests that compare with them skip with the reason. A folder that
somebody names has to be there: a misspelt name must not read as a pass.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent


def recordings(variable: str, default: str) -> Path:
    """The folder that an environment variable names, or ``../shared/<default>``.

    Raises:
        pytest.UsageError: the variable names something that is no folder.
    """
    named = os.environ.get(variable)
    if not named:
        return ROOT.parent / "shared" / default
    folder = Path(named)
    if not folder.is_dir():
        message = f"{variable}: expected a folder, got {named}"
        raise pytest.UsageError(message)
    return folder
