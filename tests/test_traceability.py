"""Every requirement is proved by a test that names it, or is listed as not due yet."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
IDS = {f"C{number}" for number in range(1, 43)}


def proved() -> dict[str, list[str]]:
    """Requirement ids to the tests that carry them, read from the sources."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), f"{path}: expected literal ids"
                    found.setdefault(str(argument.value), []).append(path.name)
    return found


def pending() -> set[str]:
    lines = (TESTS / "requirements_pending.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


def test_every_requirement_is_proved_or_not_due() -> None:
    assert IDS - set(proved()) - pending() == set()


def test_what_is_proved_is_not_pending() -> None:
    """The list may only shrink: a proof takes its id off."""
    assert set(proved()) & pending() == set()


def test_only_known_ids_are_named() -> None:
    assert (set(proved()) | pending()) - IDS == set()
