"""A version of this tool changes no rendered byte unless the changelog says so."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path

import pytest

from fsm_stack.gitops.rendering import rendering
from fsm_stack.settings.stack_file import load_text

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).parent / "rendered.txt"
STACKS = ("dev", "prod", "staging", "everything", "second")
_TOOL_VERSION = re.compile(rb'toolVersion\\?"?: \\?"?[0-9a-z.]+\\?"?')


def digest() -> str:
    """Of everything that the recorded settings render to; the tool's own version left out."""
    total = hashlib.sha256()
    for name in STACKS:
        text = (RECORD.parent / "stacks" / f"{name}.yaml").read_text(encoding="utf-8")
        settings = load_text(text, file=name, today=date(2026, 7, 1)).require()
        files = rendering(settings, ROOT, without_release_assets=True).files
        for path, content in sorted(files.items()):
            plain = _TOOL_VERSION.sub(b"toolVersion", content)
            total.update(path.encode() + b"\0" + plain + b"\0")
    return total.hexdigest()


def test_what_changes_rendered_files_stands_in_the_changelog() -> None:
    """Add a line to the record: the digest, and the changelog's sentence about it."""
    last = RECORD.read_text(encoding="utf-8").splitlines()[-1]
    recorded, _, sentence = last.partition(" ")
    assert recorded == digest(), (
        "rendered files change: say so in CHANGELOG.md under 'Rendered files', and add a line "
        f"with {digest()} and that sentence to {RECORD.name}"
    )
    assert sentence in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_line_of_the_record_is_a_digest_and_a_sentence() -> None:
    lines = RECORD.read_text(encoding="utf-8").splitlines()
    for line in lines:
        recorded, _, sentence = line.partition(" ")
        assert len(recorded) == 64
        assert sentence
    assert len(lines) == len({line.partition(" ")[0] for line in lines})


@pytest.mark.parametrize("name", STACKS)
def test_the_recorded_settings_are_valid(name: str) -> None:
    text = (RECORD.parent / "stacks" / f"{name}.yaml").read_text(encoding="utf-8")
    assert load_text(text, file=name, today=date(2026, 7, 1)).settings is not None
