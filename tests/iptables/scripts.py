"""The documents' samples and small rule sets for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fsm_stack.iptables.read.text import Reading, read, script_in_description

if TYPE_CHECKING:
    from fsm_stack.systems import System

DOCUMENTS = Path(__file__).parent / "documents"


def description(system: System, sample: str) -> str:
    """What ``kubectl describe pod`` printed, as the page shows it."""
    path = DOCUMENTS / f"{system.name}-{sample}.describe.txt"
    return path.read_text(encoding="utf-8")


def document(system: System, sample: str) -> Reading:
    """The script in it, read."""
    return read(script_in_description(description(system, sample), system.init_container))


def listing(*lines: str) -> Reading:
    """Lines of ``iptables -S``, read."""
    return read("\n".join(lines))
