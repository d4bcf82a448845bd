"""The instructions of the Containerfile, stage by stage: as much of its grammar as it uses.

Source: the reference of Dockerfiles: comments, line continuations, exec form.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE = ROOT / "Containerfile"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One ``FROM`` and what follows.

    Attributes:
        name: what it is called.
        base: the image, or the stage that it starts from.
        steps: instruction and text, in order.
    """

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """The texts of one instruction."""
        return [text for word, text in self.steps if word == instruction]


def stages() -> dict[str, Stage]:
    """Every stage by its name; the last one is what is built where none is named."""
    text = FILE.read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(name=name, base=base)
        elif found:
            list(found.values())[-1].steps.append((word, rest.strip()))
        else:
            assert word == "ARG", line
    return found


def exec_form(text: str) -> list[str]:
    """The words of an instruction that starts no shell."""
    words = json.loads(text)
    assert all(isinstance(word, str) for word in words)
    return list(words)


def copied(text: str) -> tuple[list[str], str]:
    """What a COPY takes of the checkout, and where to; nothing where it takes of a stage."""
    words = [word for word in shlex.split(text) if not word.startswith("--chmod=")]
    if words[0].startswith("--from="):
        return [], words[-1]
    return words[:-1], words[-1]
