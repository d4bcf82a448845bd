"""A project in a temporary directory: stack files of the repository, changed as a user would."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.project.release_asset import vendor
from tests.archives import GOOD, MORE, pack

from .engine import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .engine import Engine, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's directory.

    Attributes:
        directory: with Pulumi.yaml, and the release's scripts, which a stand-in archive gave.
        engine: the engine that runs its stacks.
        stacks: those that were asked for.
    """

    directory: Path
    engine: Engine
    stacks: list[Stack] = field(default_factory=list)

    @classmethod
    def made(cls, directory: Path, engine: Engine) -> Project:
        """A project with this repository's Pulumi.yaml and a stand-in for the release's scripts."""
        shutil.copy(REPOSITORY / "Pulumi.yaml", directory)
        archive = directory / "fsm-1.5.1.tgz"
        archive.write_bytes(pack(files=GOOD | MORE))
        vendor(directory, archive)
        return cls(directory=directory, engine=engine)

    def stack(self, name: str, settings: Mapping[str, Any], **options: Any) -> Stack:
        """A stack with these settings; the engine keeps it until it is removed."""
        self.write(name, settings)
        stack = self.engine.stack(name, self.directory, **options)
        self.stacks.append(stack)
        return stack

    def end(self) -> None:
        """Destroy what is still there, so that a test that failed spoils no other."""
        for stack in self.stacks:
            if stack.may_own:
                stack.destroy().succeeded()

    def write(self, name: str, settings: Mapping[str, Any]) -> None:
        """The stack's file, anew; the engine's own keys in it stay."""
        file = self.directory / f"Pulumi.{name}.yaml"
        known = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        known["config"] = {f"fsm-stack:{key}": value for key, value in settings.items()}
        file.write_text(yaml.safe_dump(known), encoding="utf-8")


def committed(stack: str) -> dict[str, Any]:
    """The settings of a stack of this repository, as where no kubelet runs."""
    text = (REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    settings = {key.removeprefix("fsm-stack:"): value for key, value in config.items()}
    return changed(settings, deployment={"skipAwait": True})


def changed(settings: Mapping[str, Any], **sections: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with keys of some sections changed."""
    result = copy.deepcopy(dict(settings))
    for name, section in sections.items():
        result[name] = {**result.get(name, {}), **section}
    return result
