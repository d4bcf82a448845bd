"""The project on disk: where it is, which stacks it has, and a stack read from its file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.project.files import decoded, read_file, require_inside, told, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.settings.reader import Loaded


PROJECT_FILE: Final = "Pulumi.yaml"
# A stack's name becomes a directory's: one of dots only is not taken.
# Source: pulumi pkg/v3 backend, the pattern of stack names.
_STACK_FILE: Final = re.compile(r"Pulumi\.(?=.*[A-Za-z0-9_-].*\.)([A-Za-z0-9_.-]{1,100})\.yaml")

# A stack file of some thousand lines has 100 kB; more is a mistake, or an attack on the reader.
STACK_FILE_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack file, read.

    Attributes:
        name: the stack's name.
        file: the path as reports name it.
        settings: None when the findings hold an error that leaves no settings.
        findings: everything that is wrong, or doubtful, in the file.
        accepted: findings that the stack takes on purpose.
    """

    name: str
    file: str
    settings: StackSettings | None
    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory with a ``Pulumi.yaml``.

    Attributes:
        directory: the project's directory.
        start: the directory that a user is in, or named by ``-C``; paths are shown from there.
    """

    directory: Path
    start: Path

    def stacks(self) -> tuple[str, ...]:
        """The names of all stacks that have a file, sorted.

        Raises:
            InputError: for a name that a folder of ours may have.
            FileError: when the directory cannot be read.
        """
        with told("read", self.shown(self.directory)):
            names = os.listdir(self.directory)  # noqa: PTH208  # names are all that is needed
        found = stack_names(names)
        for name in found:
            if name.startswith("."):  # rendered/.x.fsm-stack-new is what a killed run left
                file = self.shown(self.directory / f"Pulumi.{name}.yaml")
                raise InputError(
                    f"{file}: expected a stack's name that begins with no '.', got {name!r}"
                )
        return found

    def chosen(self, names: tuple[str, ...], *, everything: bool = False) -> tuple[str, ...]:
        """The named stacks, each once; or all of them.

        Raises:
            InputError: for a name without a file, or when there is no stack at all.
        """
        known = self.stacks()
        if not known:
            place = self.shown(self.directory)
            raise InputError(f"{place}: no stack here; expected a file Pulumi.<stack>.yaml")
        if everything:
            return known
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
                if (self.directory / f"Pulumi.{name}.yml").exists():
                    hint = f"; the engine reads Pulumi.{name}.yaml, not Pulumi.{name}.yml"
                raise InputError(f"{name!r}: no such stack{hint}")
        return tuple(dict.fromkeys(names))

    def load(self, name: str, *, today: date | None = None) -> Stack:
        """Read one stack's file.

        Args:
            name: the stack, one of :meth:`stacks`.
            today: for dates such as ``until``; the current day in UTC if absent, so that two
                machines agree.

        Raises:
            InputError: when the file is missing, too large, not UTF-8 or not YAML.
            FileError: when it cannot be read.
        """
        path = self.directory / f"Pulumi.{name}.yaml"
        return _stack(path, name, project=self.directory, shown=self.shown(path), today=today)

    def shown(self, path: Path) -> str:
        """A path as the user would type it: from where they are."""
        return os.path.relpath(path, self.start)


def _stack(path: Path, name: str, *, project: Path, shown: str, today: date | None) -> Stack:
    loaded = read_stack(path, project=project, shown=shown, today=today)
    return Stack(
        name=name,
        file=shown,
        settings=loaded.settings,
        findings=loaded.findings,
        accepted=loaded.accepted,
    )


def read_stack(path: Path, *, project: Path, shown: str, today: date | None) -> Loaded:
    """A stack's file, with what its project gives to it.

    Raises:
        InputError: a file is missing, too large, not UTF-8 or not YAML.
        FileError: it cannot be read.
    """
    from fsm_stack.settings.stack_file import load_text  # noqa: PLC0415  # pydantic's 60 ms

    text = read_text(path, project=project, shown=shown)
    loaded = load_text(text, file=shown, today=today or datetime.now(UTC).date())
    shared = str(Path(shown).with_name(PROJECT_FILE))
    return with_project(loaded, project, shown=shared)


def with_project(loaded: Loaded, project: Path, *, shown: str = PROJECT_FILE) -> Loaded:
    """The same, and what ``Pulumi.yaml`` gives to a stack whose file says nothing."""
    from fsm_stack.settings.stack_file import project_settings  # noqa: PLC0415  # as above

    path = project / PROJECT_FILE
    if not path.is_file():
        return loaded
    found = project_settings(read_text(path, project=project, shown=shown), file=shown)
    return replace(loaded, findings=(*found, *loaded.findings)) if found else loaded


def load_stack(
    source: Path | str | Mapping[str, Any], *, today: date | None = None
) -> StackSettings:
    """The settings of one environment, checked as ``fsm-stack validate`` checks them.

    Args:
        source: a file of the form of ``Pulumi.<stack>.yaml``, wherever it is and whatever its
            name; or its settings, as in ``{"traffic": {"outboundPortExclusionList": [6379]}}``.
        today: for dates such as ``until``; the current day in UTC if absent.

    Raises:
        FindingsError: a value is wrong; its findings say which, where and what was expected.
        InputError: the file is missing, too large, not UTF-8 or not YAML.
        FileError: it cannot be read.
    """
    from fsm_stack.settings.stack_file import load_mapping, load_text  # noqa: PLC0415  # 60 ms

    today = today or datetime.now(UTC).date()
    if isinstance(source, Mapping):
        return load_mapping(source, name="settings", today=today).require()
    text = read_text(Path(source), project=None, shown=str(source))
    return load_text(text, file=str(source), today=today).require()


def write_project(directory: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Write a new project's files.

    Args:
        directory: the project's; made if absent.
        files: paths below it, and texts.
        force: over files that are there.

    Raises:
        InputError: some are there already; nothing is written then.
        FileError: one cannot be written.
    """
    taken = [name for name in files if (directory / name).exists()]
    if taken and not force:
        raise InputError(
            f"{directory}: {', '.join(taken)} {'is' if len(taken) == 1 else 'are'} there already; "
            "expected a new project's folder, or --force"
        )
    for name, text in files.items():
        write_file(directory / name, text.encode(), shown=str(directory / name))


def stack_files(paths: Iterable[Path]) -> Iterator[tuple[Stack, Path | None]]:
    """Stack files wherever they are, each with the project that it lies in, if any.

    Args:
        paths: files, and directories whose files ``Pulumi.<stack>.yaml`` are meant.

    Raises:
        InputError: for a directory without such files, or a file that cannot be read.
    """
    for given in dict.fromkeys(paths):
        inside = [given]
        if given.is_dir():
            with told("read", given):
                inside = sorted(
                    path for path in given.iterdir() if _STACK_FILE.fullmatch(path.name)
                )
            if not inside:
                raise InputError(f"{given}: no stack here; expected a file Pulumi.<stack>.yaml")
        for path in inside:
            match = _STACK_FILE.fullmatch(path.name)
            name = match[1] if match else path.name
            home = path.parent if (path.parent / PROJECT_FILE).is_file() else None
            yield _stack(path, name, project=path.parent, shown=str(path), today=None), home


def stack_names(files: Iterable[str]) -> tuple[str, ...]:
    """The stacks whose files are among these names, sorted."""
    matches = (_STACK_FILE.fullmatch(name) for name in files)
    return tuple(sorted(match.group(1) for match in matches if match))


def find_project(start: Path) -> Project:
    """The project of a directory: it, or the nearest one above it, with a ``Pulumi.yaml``.

    Raises:
        InputError: when there is none, or ``start`` is no directory.
    """
    if not start.is_dir():
        raise InputError(f"{start}: no such directory")
    here = start.resolve()
    for directory in (here, *here.parents):
        if (directory / PROJECT_FILE).is_file():
            return Project(directory=directory, start=here)
    raise InputError(
        f"{start}: no {PROJECT_FILE} here or in any directory above; "
        "expected a directory of an fsm-stack project, name one with -C"
    )


def read_text(path: Path, *, project: Path | None, shown: str) -> str:
    """A text file.

    Args:
        path: it.
        project: what it must not lead out of; None: a file that the user named.
        shown: the file as an error names it.

    Raises:
        InputError: when there is none, or it leads out of the project, is too large, or no UTF-8.
        FileError: when it cannot be read.
    """
    if project is not None:
        require_inside(path, project, shown=shown)
    if path.exists() and not path.is_file():
        raise InputError(f"{shown}: expected a regular file")  # a pipe would be waited for
    content = read_file(path, limit=STACK_FILE_MAX, shown=shown)
    if content is None:
        raise InputError(f"{shown}: no such file")
    return decoded(content, shown)
