"""The two sides of a comparison, from words: stacks, files, rendered trees, Git revisions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, did_you_mean, few
from fsm_stack.findings.finding import Severity
from fsm_stack.lists import KEYS, MESH
from fsm_stack.manifests.manifest import without_sync_annotations
from fsm_stack.manifests.mesh_config import mesh_config_schema
from fsm_stack.project.files import OBJECTS, OTHERS, REDIRECTION, decoded, read_tree
from fsm_stack.project.git import Repository, repository
from fsm_stack.project.project import STACK_FILE_MAX, find_project, read_stack, read_text
from fsm_stack.project.rules_source import of_script as rules_of
from fsm_stack.review.intent import TRAILER, Intent, intent
from fsm_stack.review.model import SideName
from fsm_stack.review.patch import patched_spec
from fsm_stack.review.side import (
    Side,
    of_objects,
    of_script,
    of_settings,
    of_spec,
)
from fsm_stack.settings.problems import type_name
from fsm_stack.settings.stack_file import load_mapping, load_text
from fsm_stack.systems import SYSTEMS
from fsm_stack.yaml.places import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from fsm_stack.project.project import Project
    from fsm_stack.settings.reader import Loaded
    from fsm_stack.yaml import Json

_SHORT: Final = 12
_PROBLEMS_MAX: Final = 3
_OF_OBJECTS: Final = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Loads sides of one project.

    Attributes:
        start: the directory that words are read from.
        today: for entries with an end.
    """

    start: Path
    today: date
    _cache: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def project(self) -> Project:
        """The project that stacks are in."""
        return find_project(self.start)

    @cached_property
    def repository(self) -> Repository:
        """The repository that the project is in."""
        return repository(self.project.directory)

    def stacks(self) -> tuple[str, ...]:
        """Every stack of the project; none outside of one."""
        try:
            return self.project.stacks()
        except InputError:
            return ()

    def word(self, word: str) -> Side:
        """A side by its word: a stack's name, else a stack file.

        Raises:
            InputError: it is neither, or it does not validate.
        """
        if word in self.stacks():
            return self.stack(word)
        if not word:
            raise InputError("expected a stack or a file, got an empty word")
        path = self.start / word
        if path.is_file():
            return self.file(path, word)
        if path.is_dir():
            return self.rendered(path, word)
        known = self.stacks()
        hint = did_you_mean(word, known) or f"; expected one of {', '.join(known)}, or a file"
        raise InputError(f"{word!r}: no such stack or file{hint}")

    def stack(self, name: str) -> Side:
        """A stack as its file in the work tree says it."""
        return self.valid(*self.loaded(name))

    def loaded(self, name: str) -> tuple[Loaded, SideName]:
        """The same before it is known to validate: with every finding, and what is accepted."""
        path = self.project.directory / f"Pulumi.{name}.yaml"
        shown = self.project.shown(path)
        loaded = read_stack(path, project=self.project.directory, shown=shown, today=self.today)
        return loaded, SideName(title=name, kind="stack", file=shown)

    def settings(self, text: str, name: SideName) -> Side:
        """A stack file's text.

        Raises:
            InputError: it does not validate; with the first problems.
        """
        return self.valid(load_text(text, file=name.file, today=self.today), name)

    def valid(self, loaded: Loaded, name: SideName) -> Side:
        """The side of what was loaded.

        Raises:
            InputError: it does not validate; with the first problems.
        """
        errors = [item for item in loaded.findings if item.severity is Severity.ERROR]
        if loaded.settings is None or errors:
            told = few((item.as_text() for item in errors), _PROBLEMS_MAX, separator="; ")
            raise InputError(f"{name.title}: its settings do not validate: {told}")
        return of_settings(
            loaded.settings, name, today=self.today, place=loaded.place, findings=loaded.findings
        )

    def with_version(self, side: Side, version: str) -> Side:
        """The same stack with another FSM release.

        Raises:
            InputError: it is no stack, or it does not validate with that release.
        """
        if side.settings is None:
            raise InputError(f"{side.name.title}: expected a stack, to give it another release")
        data = side.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
        loaded = load_mapping(
            {**data, "fsmVersion": version}, name=side.name.file, today=self.today
        )
        name = replace(side.name, title=f"{side.name.title} with FSM {version}")
        return replace(self.valid(loaded, name), place=side.place)

    def at(self, name: str, revision: str) -> tuple[Side, str]:
        """A stack at a Git revision, and the commit.

        Raises:
            InputError: no such revision, no such stack there, or it does not validate there.
        """
        commit = self.repository.commit(revision)
        path = f"Pulumi.{name}.yaml"
        content = self.repository.read(commit, path)
        if content is None:
            older = self.repository.older_name(commit, path)
            if older is None:
                raise InputError(
                    f"{path} at {revision}: no such file; the stack is new since then, or its "
                    "file had another content and another name"
                )
            path = older.removeprefix(self.repository.prefix)
            content = self.repository.read(commit, path) or b""
        shown = f"{path} at {revision}"
        if len(content) > STACK_FILE_MAX:
            raise InputError(f"{shown}: expected at most {STACK_FILE_MAX} bytes")
        short = commit[:_SHORT]
        title = f"{name} at {short}"
        if not commit.startswith(revision):
            title = f"{name} at {revision} ({short})"
        side = SideName(title=title, kind="stack", file=path, commit=commit)
        return self.settings(decoded(content, shown), side), commit

    def file(self, path: Path, shown: str, *, like: Side | None = None, scope: str = MESH) -> Side:
        """A file: a stack file, a MeshConfig or a patch of one, a script or a dump.

        Args:
            path: the file.
            shown: what it is called.
            like: the stack that it is compared with; a MeshConfig needs one.
            scope: whose script a script is.

        Raises:
            InputError: it is none of these, or it cannot be used.
        """
        if path.suffix in _OF_OBJECTS:
            text = read_text(path, project=None, shown=shown)
            data = _data(text, shown)
            if isinstance(data, dict) and "config" in data and "kind" not in data:
                return self.settings(text, SideName(title=shown, kind="stack", file=shown))
            if _is_mesh_config(data):
                return self.mesh_config(data, shown, like=like)
        script = rules_of(str(path))
        side = of_script(
            script.text,
            SideName(title=shown, kind="script", file=shown),
            system=SYSTEMS[script.systems[0]] if script.systems else None,
        )
        return replace(side, scripts={scope: script.text})

    def mesh_config(self, data: Any, shown: str, *, like: Side | None) -> Side:  # noqa: ANN401  # JSON
        """A MeshConfig, or a patch of one as ``kubectl patch`` takes it, for a stack's pods."""
        if like is None or like.spec is None:
            raise InputError(f"{shown}: expected a STACK beside it, whose MeshConfig it is")
        whole = isinstance(data, dict) and data.get("kind") == "MeshConfig"
        title = shown if whole else f"{like.name.title} with {shown}"
        # The schema is of the system whose CRD is declared here; others have fields of their own.
        known = like.system is None or like.system.declares_control_plane
        spec = (
            data.get("spec")
            if whole
            else patched_spec(like.spec, data, shown, schema=mesh_config_schema(), complete=known)
        )
        return of_spec(
            _required(spec, shown),
            SideName(title=title, kind="mesh-config" if whole else "patch", file=shown),
            like=like,
        )

    def rendered(self, directory: Path, shown: str, *, like: Side | None = None) -> Side:
        """The tree that ``fsm-stack render`` wrote.

        Raises:
            InputError: it is none.
        """
        tree = read_tree(directory, shown=shown)
        scripts = {}
        for path, content in tree.files.items():
            if path.startswith(f"{REDIRECTION}/") and path.endswith(".sh"):
                name = path.removeprefix(f"{REDIRECTION}/").removesuffix(".sh")
                scripts[name.removeprefix("profiles/")] = decoded(content, f"{shown}/{path}")
        if MESH not in scripts:
            raise InputError(f"{shown}: expected a tree that fsm-stack render wrote")
        objects = [
            without_sync_annotations(item)
            for path, content in tree.files.items()
            if path.startswith((f"{OBJECTS}/", f"{OTHERS}/")) and path.endswith(".yaml")
            for item in _objects(decoded(content, f"{shown}/{path}"), f"{shown}/{path}")
        ]
        system = like.system if like is not None and like.system is not None else SYSTEMS["fsm"]
        ordered = {MESH: scripts.pop(MESH), **dict(sorted(scripts.items()))}
        return of_objects(objects, ordered, SideName(title=shown, kind="rendered"), system=system)

    def declared(self, commit: str) -> list[Intent]:
        """The changes that the commits after one declare in their trailers.

        Raises:
            InputError: one of them is none.
        """
        base = self.repository.merge_base(commit, "HEAD") or commit
        return [
            intent(text, f"{TRAILER} of {short}")
            for short, text in self.repository.trailers(base, TRAILER)
        ]

    def against(self, name: str, stack: Side, word: str, *, scope: str = MESH) -> Against:
        """What ``--against`` names, for a stack: a path, or a Git revision.

        Raises:
            InputError: it is neither, or both.
        """
        if not word:
            raise InputError("--against: expected a Git revision or a path, got an empty word")
        path = self.start / word
        try:
            known = word in self.stacks() or not path.exists() or self.repository.is_revision(word)
        except InputError:
            known = False
        if path.exists() and known:
            raise InputError(
                f"--against {word}: it is a path and a Git revision; write ./{word} for the path, "
                f"or refs/heads/{word} for the branch"
            )
        if path.is_dir():
            return Against(side=self.rendered(path, word, like=stack))
        if path.exists():
            return Against(side=self.file(path, word, like=stack, scope=scope))
        if name not in self.stacks():
            raise InputError(f"{name}: expected a stack of the project, to look it up at {word}")
        try:
            self.repository.commit(word)
        except InputError as error:
            raise InputError(
                f"--against {word}: no such path, and as a revision {error}"
            ) from None
        side, commit = self.at(name, word)
        return Against(side=side, commit=commit, note=self.behind(name, word, commit))

    def behind(self, name: str, word: str, commit: str) -> str:
        """That the revision has changes of the stack that the work tree lacks; empty: none."""
        base = self.repository.merge_base(commit, "HEAD")
        path = f"Pulumi.{name}.yaml"
        if base in (None, commit):
            return ""
        if self.repository.read(commit, path) == self.repository.read(str(base), path):
            return ""
        return (
            f"{word} has changes of {path} that this work tree lacks: they are told the other way "
            f"round; the change alone is --against {str(base)[:_SHORT]}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The other side.

    Attributes:
        side: it.
        commit: of a Git revision; empty: it is none.
        note: what a reader should know of it.
    """

    side: Side
    commit: str = ""
    note: str = ""

    @property
    def first(self) -> bool:
        """Whether it is what was before: all but a patch, which is what would be after."""
        return self.side.name.kind != "patch"


def _data(text: str, shown: str) -> Any:  # noqa: ANN401  # decoded
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    try:
        return read_yaml(text, file=shown).data
    except InputError:
        return None  # several documents, or a script: whoever reads it says what is wrong


def _required(spec: Any, shown: str) -> Json:  # noqa: ANN401  # decoded
    """A MeshConfig's spec whose lists are lists, if there are any.

    Raises:
        InputError: something else stands where an object or a list has to be.
    """
    traffic = spec.get("traffic") if isinstance(spec, dict) else None
    for path, value in (("spec", spec), ("spec.traffic", {} if traffic is None else traffic)):
        if not isinstance(value, dict):
            raise InputError(f"{shown}: {path}: expected an object, got {type_name(value)}")
    for key in KEYS:
        value = (traffic or {}).get(key)
        if value is not None and not isinstance(value, list):
            wrong = f"spec.traffic.{key}: expected a list, got {type_name(value)}"
            raise InputError(f"{shown}: {wrong}")
    known: Json = spec
    return known


def _is_mesh_config(data: Any) -> bool:  # noqa: ANN401  # decoded
    if isinstance(data, list):
        return bool(data) and all(isinstance(one, dict) and "op" in one for one in data)
    return isinstance(data, dict) and (
        data.get("kind") == "MeshConfig" or ("kind" not in data and "spec" in data)
    )


def _objects(text: str, shown: str) -> Iterator[Json]:
    data = read_yaml(text, file=shown).data
    if isinstance(data, dict) and data.get("kind") and isinstance(data.get("metadata"), dict):
        yield data
