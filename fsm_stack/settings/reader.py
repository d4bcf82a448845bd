"""One loading of a stack: data and document in, settings and findings at their places out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from fsm_stack.credentials import holds_user
from fsm_stack.errors import FindingsError, InputError, did_you_mean, nearest
from fsm_stack.findings.finding import Finding, Place, Severity, finding, in_order
from fsm_stack.findings.settings import MORE
from fsm_stack.settings.checks import check_settings
from fsm_stack.settings.checks.names import unnamed_cluster
from fsm_stack.settings.effective import apply_accepted
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.problems import Pruned, keys_at, location, to_finding, type_name
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from fsm_stack.yaml.places import Document, Path

PROJECT: Final = "fsm-stack"
# So many problems of one kind of reading are told one by one: nobody reads more of them.
TOLD_MAX: Final = 100

# Keys of a stack file that are the engine's own. Source: pulumi/pulumi sdk workspace.ProjectStack.
_ENGINE_TEXTS: Final = frozenset({"secretsprovider", "encryptedkey", "encryptionsalt"})
_ENGINE_KEYS: Final = _ENGINE_TEXTS | {"config", "environment"}

_STACK_FILE: Final = re.compile(r"(?:^|/)Pulumi\.([^/]+)\.yaml$")

# Words that config of the engine's providers is called by too, as in kubernetes:cluster.
_COMMON_KEYS: Final = frozenset({"cluster", "deployment", "system"})


def nowhere(path: Path) -> Place:
    """The place of a path that no file sets."""
    return Place(path=path_text(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What loading a stack gave.

    Attributes:
        settings: None when a value could not be used at all.
        findings: all problems, by place; accepted ones are left out.
        accepted: findings that the stack takes on purpose.
        name: the file, or the stack, for messages.
        place: where the file sets a path; without a line where it does not.
    """

    settings: StackSettings | None
    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()
    name: str = ""
    place: Callable[[Path], Place] = field(default=nowhere, compare=False, repr=False)

    def worst(self) -> Severity | None:
        """The highest severity among the findings, or None without findings."""
        if not self.findings:
            return None
        return max((item.severity for item in self.findings), key=lambda s: s.rank)

    def require(self) -> StackSettings:
        """The settings, if nothing is an error.

        Raises:
            FindingsError: with every finding, warnings included.
        """
        if self.settings is None or self.worst() is Severity.ERROR:
            raise FindingsError(self.findings)
        return self.settings


def text_default(key: str) -> str | None:
    """The default of a top-level setting that is text; None: no such setting."""
    field = next((f for n, f in StackSettings.model_fields.items() if (f.alias or n) == key), None)
    return field.default if field is not None and isinstance(field.default, str) else None


def engine_value(key: str, value: str) -> Any:  # noqa: ANN401  # decoded JSON
    """A config value as the engine holds it: text for text settings, JSON for all others."""
    if text_default(key) is not None:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value  # validation says that it is text


class Reader:
    """One loading: the document, and what is found in it."""

    def __init__(self, document: Document, prefix: Path = ("config",)) -> None:
        self.document = document
        self.prefix = prefix
        self.findings: list[Finding] = []
        self.file_keys: dict[str, str] = {}
        self._unread: set[str] = set()  # paths whose text has no one meaning

    def report(self, rule_id: str, path: Path, message: str, fix: str) -> None:
        """Add a finding at a settings path."""
        item = finding(rule_id, message, path=path_text(path), fix=fix)
        self.findings.append(self.placed(path, item))

    def placed(self, path: Path, item: Finding) -> Finding:
        """The finding at a settings path, with the place that the file gives it."""
        of_key = item.id in {"unknown-key", "duplicate-key"}
        line, column = self._spot(path, of_key=of_key)
        return item.at(file=self.document.file, line=line or None, column=column or None)

    def place_of(self, path: Path) -> Place:
        """Where the file sets a settings path; without a line where it says nothing of it."""
        marks = self.document.marks
        step = str(path[0]) if path else ""
        there = (*self.prefix, self.file_keys.get(step, step), *path[1:]) in marks
        line, column = self._spot(path) if there else (0, 0)
        file = self.document.file
        return Place(file=file, line=line or None, column=column or None, path=path_text(path))

    def _spot(self, path: Path, *, of_key: bool = False) -> tuple[int, int]:
        """Line and column of a settings path; 0 where the file has none."""
        spot = self.document.place(self._in_file(path), of_key=of_key)
        return (spot.line or 0, spot.column or 0)

    def _in_file(self, path: Path) -> Path:
        """A settings path as the document has it."""
        if not self.prefix or not path:
            return path or self.prefix
        step = str(path[0])
        return (*self.prefix, self.file_keys.get(step, step), *path[1:])

    def settings_of_file(self) -> dict[str, Any]:
        """The project's own config keys, without their prefix."""
        data = {} if self.document.data is None else self.document.data
        if not isinstance(data, dict):
            raise InputError(
                f"{self.document.file}: expected a mapping with the key config, "
                f"got {type_name(data)}"
            )
        self._check_engine_keys(data)
        config = data.get("config")
        if config is None:
            config = {}
        if not isinstance(config, dict):
            raise InputError(
                f"{self.document.file}: expected a mapping at config, got {type_name(config)}"
            )
        settings: dict[str, Any] = {}
        for full_key, value in config.items():
            project, colon, key = full_key.partition(":")
            if not colon:  # read all the same, so that it hides nothing
                project, key = PROJECT, full_key
                message = f"expected a key with its project in front, got {full_key!r}"
                fix = f"Write {PROJECT}:{key}."
                self._report_key("unknown-key", ("config", key), message, path=key, fix=fix)
            if project == PROJECT:
                if key in self.file_keys:
                    first = self.file_keys[key]
                    message = f"expected each key once, got {full_key!r} beside {first!r}"
                    place = ("config", full_key)
                    self._report_key("duplicate-key", place, message, path=full_key)
                    continue
                self.file_keys[key] = full_key
                if isinstance(value, dict) and set(value) == {"secure"}:
                    self.refuse_secret((key,))
                    continue
                settings[key] = engine_value(key, value) if isinstance(value, str) else value
            else:
                self.check_project(full_key, project, key)
        return settings

    def _report_key(
        self, rule_id: str, key: Path, message: str, *, path: str, fix: str = ""
    ) -> None:
        """Add a finding at a key of the file, which is no settings path."""
        spot = self.document.place(key, of_key=True)
        item = finding(rule_id, message, fix=fix)
        self.findings.append(
            item.at(file=spot.file, line=spot.line, column=spot.column, path=path)
        )

    def refuse_secret(self, path: Path) -> None:
        """Add the finding of a secret where a plain setting is expected."""
        self.report("secret-value", path, "expected a plain setting, got a secret", "")

    def secrets_of(self, key: str) -> tuple[Path, ...]:
        """Where the file holds the secrets of a setting, which the engine hands over as one."""
        data = self.document.data
        config = data.get("config") if isinstance(data, dict) else None
        value = config.get(self.file_keys.get(key, key)) if isinstance(config, dict) else None
        return tuple(_secrets(value, (key,)))

    def _check_engine_keys(self, data: dict[str, Any]) -> None:
        for key, value in data.items():
            if key not in _ENGINE_KEYS:
                hint = did_you_mean(key, sorted(_ENGINE_KEYS))
                message = f"expected a key of a Pulumi stack file, got {key!r}{hint}"
                self._report_key("unknown-key", (key,), message, path=key)
            elif key in _ENGINE_TEXTS and not isinstance(value, str | None):
                message = f"expected text, got {type_name(value)}"
                self._report_key("wrong-type", (key,), message, path=key)
        if "environment" in data:
            message = "expected every setting in this file; only the engine reads environments"
            self._report_key("esc-environment", ("environment",), message, path="environment")

    def check_project(self, full_key: str, project: str, key: str) -> None:
        """A key of another project: whether it is ours under a wrong name.

        ``fsm:traffic`` would be ignored, and the mesh would come up without its exclusions.
        """
        misspelt = nearest(project, [PROJECT]) is not None
        ours = key in keys_at(StackSettings, ()) and key not in _COMMON_KEYS
        if not (misspelt or ours):
            return
        message = f"expected the project {PROJECT!r} before the colon, got {project!r}"
        place = (*self.prefix, full_key)
        fix = f"Write {PROJECT}:{key}."
        self._report_key("unknown-key", place, message, path=key, fix=fix)

    def _refuse_nested_secrets(self, value: Any, path: Path) -> None:  # noqa: ANN401  # JSON
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._refuse_nested_secrets(item, (*path, index))
        elif isinstance(value, dict):
            if path and set(value) == {"secure"}:
                self.refuse_secret(path)
                value.clear()
            for key, item in value.items():
                self._refuse_nested_secrets(item, (*path, key))
        elif isinstance(value, str) and holds_user(value):
            message = "expected text without a user and a password, got a URL that has them"
            self.report("secret-value", path, message, "Take what stands before the @ out.")

    def require_some(self, data: dict[str, Any]) -> None:
        """Refuse a stack that says nothing: its config is elsewhere, or under another name.

        The engine fills absent keys with the project's own: empty ones, and the defaults of texts.
        """
        fields = StackSettings.model_fields.items()
        nothing: dict[str, tuple[Any, ...]] = {
            field.alias or name: ({}, [], field.default) for name, field in fields
        }
        if self.findings or any(value not in nothing.get(key, ()) for key, value in data.items()):
            return
        self.report("no-settings", (), f"expected settings, {PROJECT}:…, found none", "")

    def load(self, data: dict[str, Any], today: date) -> Loaded:
        """Validate, check, and put every finding at its place."""
        prefix = f"config.{PROJECT}:"
        unread = [
            item.at(path=item.place.path.removeprefix(prefix)) for item in self.document.findings
        ]
        self._unread = {item.place.path for item in unread}
        self.findings += unread[:TOLD_MAX]
        if len(unread) > TOLD_MAX:
            more = _untold(len(unread) - TOLD_MAX)
            self.findings.append(replace(more, place=unread[TOLD_MAX].place))
        self._refuse_nested_secrets(data, ())
        pruned = Pruned(data)
        settings, usable = self._validate(pruned)
        if settings is not None:
            self._check(settings, pruned, today)
        kept, accepted = apply_accepted(settings, tuple(self.findings), today, self.placed)
        return Loaded(
            settings=settings if usable else None,
            findings=in_order(kept),
            accepted=in_order(accepted),
            name=self.document.file,
            place=self.place_of,
        )

    def _check(self, settings: StackSettings, pruned: Pruned, today: date) -> None:
        """Findings of the checks; what validation said of a place already is not said again.

        Where a value was unusable, the checks saw a default: what they say of it is noise.
        """
        said = {(item.id, item.place.path) for item in self.findings}
        found: dict[Finding, None] = {}
        stack = _STACK_FILE.search(self.document.file)
        unnamed = unnamed_cluster(settings, stack[1] if stack else "")
        for path, item in (*check_settings(settings, today), *unnamed):
            there = pruned.original(path)
            if pruned.is_gone(there):
                continue
            placed = self.placed(there, item.at(path=path_text(there)))
            if (placed.id, placed.place.path) not in said:
                found[placed] = None
        self.findings.extend(found)

    def _take(self, error: ValidationError, pruned: Pruned) -> list[Path]:
        """Report what validation found; returns every path that is to be taken away.

        What follows from a text that is wrong itself is noise: a secret in place of a mapping is
        emptied, and lacks keys then. Of very many problems the first ones are told.
        """
        said = self._unread | {item.place.path for item in self.findings}
        secret = {item.place.path for item in self.findings if item.id == "secret-value"}
        details = error.errors(include_url=False, include_context=True)
        paths = [location(detail, pruned.data) for detail in details]
        news = []
        for path, detail in zip(paths, details, strict=True):
            there = pruned.original(path)
            text = path_text(there)
            if text not in said and not any(parent in secret for parent in _parents(text)):
                news.append((there, text, path, detail))
                said.add(text)
        if len(news) > TOLD_MAX:
            news.sort(key=lambda one: self._spot(one[0]))
        for there, text, path, detail in news[:TOLD_MAX]:
            written = self.document.texts.get(self._in_file(there), "")
            item = to_finding(detail, path, StackSettings, written=written)
            message = item.message.replace(path_text(path), text)
            self.findings.append(self.placed(there, replace(item.at(path=text), message=message)))
        for there, text, *_ in news[TOLD_MAX : TOLD_MAX + 1]:
            more = _untold(len(news) - TOLD_MAX)
            self.findings.append(self.placed(there, more.at(path=text)))
        return paths

    def _validate(self, pruned: Pruned) -> tuple[StackSettings | None, bool]:
        """The settings; those of the rest where values are unusable, to check it too."""
        usable = not any(item.severity is Severity.ERROR for item in self.findings)
        for _ in range(8):  # a removed value may uncover another; each round removes at least one
            try:
                # Files spell keys in one way only: upstream's, never Python's.
                settings = StackSettings.model_validate_json(
                    json.dumps(pruned.data), by_alias=True, by_name=False
                )
            except ValidationError as error:
                usable = False
                if not pruned.remove(self._take(error, pruned)):
                    return None, False
            else:
                return settings, usable
        return None, False


def _secrets(value: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401  # JSON
    if isinstance(value, dict) and set(value) == {"secure"}:
        yield path
    elif isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in steps:
            yield from _secrets(item, (*path, step))


def _untold(count: int) -> Finding:
    message = f"{count} more problems from here on, which are not told"
    return finding(MORE, message, value=count)


def _parents(path: str) -> Iterator[str]:
    """``a`` and ``a.b`` of ``a.b.c``."""
    for index, character in enumerate(path):
        if character == ".":
            yield path[:index]
