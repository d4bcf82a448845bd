"""What a conversion gives: settings, what became of every value, and the stack file's text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import Severity, harmless
from fsm_stack.settings.reader import PROJECT
from fsm_stack.systems import FSM
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json


SCHEMA_LINE: Final = "# yaml-language-server: $schema=./schemas/stack.schema.json"
_STEP: Final = "  "
_IN_LINE: Final = 6  # list entries that stand in brackets
_WORD: Final = re.compile(r"[A-Za-z0-9._/-]{1,24}")


def same(one: Any, other: Any) -> bool:
    """Equality in which true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one value.

    Attributes:
        source: where it stood, ``fsm.outboundPortExclusionList``.
        target: the setting that it became; empty where it became none.
        why: where it became none, or another value: the reason.
    """

    source: str
    target: str = ""
    why: str = ""

    def __str__(self) -> str:
        """``fsm.meshName -> mesh.name``."""
        becomes = f" -> {self.target}" if self.target else ""
        return f"{self.source}{becomes}{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A conversion's result.

    Every value that was given is in ``lines``, or is an error.

    Attributes:
        settings: as in a stack file, without the prefix ``fsm-stack:``; defaults are left out.
        findings: what is lost, coerced, overruled or cannot be declared.
        lines: what became of each value.
        title: what was converted, for people.
    """

    settings: Json
    findings: tuple[Finding, ...] = ()
    lines: tuple[Line, ...] = ()
    title: str = ""

    def with_findings(self, more: Iterable[Finding]) -> Converted:
        """The same with more findings."""
        return replace(self, findings=(*self.findings, *more))

    def as_stack(self) -> Converted:
        """The same as a stack: one without any setting is refused, so it says the mesh's name."""
        if self.settings.keys() - {"fsmVersion"}:
            return self
        return replace(self, settings={**self.settings, "mesh": {"name": FSM.default_mesh_name}})

    @property
    def complete(self) -> bool:
        """Whether the settings say all that was given: no finding is an error."""
        return all(item.severity is not Severity.ERROR for item in self.findings)


@dataclass(slots=True)
class Draft:
    """A conversion in the making."""

    settings: Json = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def set(self, target: str, value: Any, source: str = "", why: str = "") -> None:
        """Write a setting; with a source, say where it comes from."""
        put(self.settings, target, value)
        if source:
            self.lines.append(Line(source=source, target=target, why=why))

    def drop(self, source: str, why: str, *findings: Finding) -> None:
        """Say of a value that it becomes no setting."""
        self.lines.append(Line(source=source, why=why))
        self.findings += findings

    def done(self, title: str = "") -> Converted:
        """The result."""
        return Converted(
            settings=self.settings,
            findings=tuple(self.findings),
            lines=tuple(self.lines),
            title=title,
        )


def put(settings: Json, target: str, value: Any) -> None:
    """Write a value at a dotted path.

    Raises:
        InputError: a part of the path has a value: a key of the source has a dot in it.
    """
    *sections, name = target.split(".")
    place = settings
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise InputError(f"{target}: {section!r} has a value: expected keys without dots")
    place[name] = value


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree that is no mapping, and every empty mapping, by path."""
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, dict) and item:
            yield from leaves(item, f"{path}.")
        else:
            yield path, item


def over(under: Json, above: Json) -> Json:
    """One tree over another: where both have a mapping it is merged, else the upper one counts."""
    merged = dict(under)
    for key, value in above.items():
        known = merged.get(key)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[key] = over(known, value) if both else value  # type: ignore[arg-type]  # both are
    return merged


def stack_text(settings: Json, lines: Iterable[Line] = (), head: Iterable[str] = ()) -> str:
    """A stack file that says these settings, each with where it comes from behind it.

    Args:
        settings: in the stack file's form.
        lines: what became what.
        head: comment lines for its top, without ``#``.
    """
    sources: dict[str, str] = {}
    for line in lines:
        if line.target:
            known = sources.get(line.target)
            sources[line.target] = f"{known}, {line.source}" if known else line.source
    text = [SCHEMA_LINE, *(f"# {harmless(one)}" for one in head), "config:"]
    for key, value in settings.items():
        text += _written(f"{PROJECT}:{key}", key, value, _STEP, sources)
    if not settings:
        text[-1] = "config: {}"
    return "\n".join(text) + "\n"


def _written(
    name: str,
    path: str,
    value: Any,
    pad: str,
    sources: Mapping[str, str],
) -> Iterator[str]:
    known = sources.get(path)
    note = f"  # {harmless(known)}" if known else ""
    if isinstance(value, dict) and value and any(one.startswith(f"{path}.") for one in sources):
        first = dump({name: {}}).rstrip("\n").removesuffix(" {}")
        yield f"{pad}{first}{note}"
        for key, item in value.items():
            yield from _written(key, f"{path}.{key}", item, pad + _STEP, sources)
        return
    if isinstance(value, list) and 0 < len(value) <= _IN_LINE and all(map(_short, value)):
        items = [dump({"": one})[4:-1] for one in value]
        first = dump({name: []}).rstrip("\n").removesuffix(" []")
        yield f"{pad}{first} [{', '.join(items)}]{note}"
        return
    first, *rest = dump({name: value}).rstrip("\n").split("\n")
    yield f"{pad}{first}{note}"
    yield from (f"{pad}{line}" if line else "" for line in rest)


def _short(value: Any) -> bool:
    """Whether an entry can stand in brackets: nothing in it means something there."""
    if isinstance(value, bool | int):
        return True
    return isinstance(value, str) and _WORD.fullmatch(value) is not None
