"""What is said of a document: findings with places, unrendered texts, what was passed over.

Commands, configuration in annotations and the like hold such texts rightly: only values that
Kubernetes gives a form without them, and the mesh's own keys, are looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import Finding, Severity, finding, harmless
from fsm_stack.workloads.documents import PLACEHOLDER
from fsm_stack.workloads.objects import is_namespace, name_of, object_at, objects
from fsm_stack.yaml.places import path_text, plain_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding, ObjectName
    from fsm_stack.systems import System
    from fsm_stack.workloads.documents import Document
    from fsm_stack.yaml.places import Path


def below(path: Path, name: ObjectName, found: Iterable[Finding]) -> list[Finding]:
    """Findings of an object, with its name, and their paths in its document."""
    prefix = path_text(path)
    return [item.at(object=name, path=_joined(prefix, item.place.path)) for item in found]


def _joined(prefix: str, path: str) -> str:
    if not path or path.startswith("namespace "):
        return path or prefix
    return f"{prefix}.{path}" if prefix else path


def placed(document: Document, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with file, line and column; lines are looked up only where there are any."""
    given = tuple(found)
    marks = _marks(document) if given else {}
    if document.form == "yaml" and any(item.id == NOT_TEXT for item in given):
        texts = {path_text(path): one.text for path, one in plain_texts(document.text).items()}
        given = tuple(_as_written(item, texts.get(item.place.path, "")) for item in given)
    return tuple(_with_place(document, item, marks) for item in given)


NOT_TEXT: Final = "annotation-not-text"


def _as_written(found: Finding, text: str) -> Finding:
    """A finding of a value that is no text, with the value as its author wrote it: 1.50, yes."""
    if found.id != NOT_TEXT or not text or not found.fix:
        return found
    message = found.message.removesuffix(str(found.value)) + text
    fix = found.fix.replace(f'"{found.value}"', f'"{text}"')
    return replace(found, message=message, fix=fix, value=text)


def _marks(document: Document) -> dict[str, tuple[int, int]]:
    return {path_text(path): mark for path, mark in document.places().items()}


def _with_place(
    document: Document, found: Finding, marks: Mapping[str, tuple[int, int]]
) -> Finding:
    path = found.place.path
    mark = marks.get(path)
    while mark is None and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
        mark = marks.get(path)
    line, column = mark or (document.line, None)
    return found.at(file=document.file, line=line, column=column)


def placeholders(
    manifest: Mapping[str, Any], templates: tuple[Path, ...], system: System
) -> Iterator[Finding]:
    """Each value that is not rendered.

    Args:
        manifest: a workload, or a Namespace.
        templates: the places of its pod templates.
        system: whose keys.

    Yields:
        An error where the value decides about the injection, else a warning.
    """
    for path, text, decides in _values(manifest, templates, system):
        found = PLACEHOLDER.search(text) if isinstance(text, str) else None
        if found:
            yield finding(
                "not-rendered",
                f"{path_text(path)}: {found[0]} is not rendered: render it first",
                path=path_text(path),
                value=found[0],
                severity=None if decides else Severity.WARNING,
            )


def _values(
    manifest: Mapping[str, Any], templates: tuple[Path, ...], system: System
) -> Iterator[tuple[Path, object, bool]]:
    """Path, value, and whether it decides about the injection."""
    namespace = manifest.get("kind") == "Namespace"
    known = object_at(manifest, ("metadata",))
    yield ("metadata", "name"), known.get("name"), namespace
    yield ("metadata", "namespace"), known.get("namespace"), True
    for place in dict.fromkeys(((), *templates)):
        for part in ("labels", "annotations"):
            path = (*place, "metadata", part)
            for key, value in object_at(manifest, path).items():
                if str(key).startswith(f"{system.annotation_prefix}/"):
                    yield (*path, str(key)), value, True
    for place in templates:
        for part in ("initContainers", "containers"):
            containers = object_at(manifest, (*place, "spec")).get(part)
            for index, item in enumerate(containers if isinstance(containers, list) else ()):
                if isinstance(item, dict):
                    path = (*place, "spec", part, index, "image")
                    yield path, item.get("image"), False


_TEXT: Final = re.compile(r"^(?!\.\.\.\s*$)[ \t]*[^#\s]", re.MULTILINE)
_HEAD: Final = re.compile(
    r"^[\"']?(kind|apiVersion)[\"']?:[ \t]+[\"']?([^\s\"'#{]+)", re.MULTILINE
)
_METADATA: Final = re.compile(r"^metadata:[ \t]*\r?\n((?:[ \t]+.*\n?|\r?\n)+)", re.MULTILINE)
_FLOW: Final = re.compile(r"^metadata:[ \t]*\{(.*)\}[ \t\r]*$", re.MULTILINE)
_INNER_FLOW: Final = re.compile(r"\{[^{}]*\}")
_FLOW_NAME: Final = re.compile(r"(?:^|,)[ \t]*(namespace|name):[ \t]+[\"']?([^\s\"',{}]+)")
_FIRST: Final = re.compile(r"^[ \t]+(?=[^\s#])", re.MULTILINE)


class Reason(StrEnum):
    """Why something is passed over."""

    NO_TEMPLATE = "no pod template"
    NO_VERSION = "no apiVersion"
    NO_KIND = "no kind"
    NO_OBJECT = "no Kubernetes object"
    NOT_RENDERED = "not rendered"

    @property
    def understood(self) -> bool:
        """Whether the object is known, and does not concern the injector."""
        return self is Reason.NO_TEMPLATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One object, or one document, that is not looked at.

    Attributes:
        kind: as it says it; "" where it does not.
        name: the object as a reference, ``Service/shop/web``, as far as it says it.
        reason: why.
        file: the stream's name.
        line: where its document begins.
    """

    kind: str
    name: str
    reason: Reason
    file: str
    line: int

    def __post_init__(self) -> None:
        """Its words are shown: without what a terminal would obey, and without passwords."""
        for name in ("kind", "name"):
            object.__setattr__(self, name, harmless(getattr(self, name)))

    def as_json(self) -> dict[str, Any]:
        """A plain mapping, without empty parts."""
        known = {"object": self.name, "reason": self.reason.value, "file": self.file}
        return {key: value for key, value in known.items() if value} | {"line": self.line}


def in_document(
    document: Document, value: object, *, looked: Collection[Path] = ()
) -> Iterator[Passed]:
    """The objects of a decoded document that are not looked at.

    Args:
        document: where they are.
        value: the document, decoded.
        looked: the places of the workloads; Namespaces are looked at, too.
    """
    if value is None:
        return
    if not isinstance(value, dict):
        yield _passed(document, {}, Reason.NO_OBJECT)
        return
    items = value.get("items") if str(value.get("kind", "")).endswith("List") else None
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            yield _passed(document, {}, Reason.NO_OBJECT)
    for path, manifest in objects(value):
        if path not in looked and not is_namespace(manifest):
            yield _passed(document, manifest, _reason(manifest))


def _reason(manifest: dict[str, Any]) -> Reason:
    if not manifest.get("apiVersion"):
        return Reason.NO_VERSION if manifest.get("kind") else Reason.NO_OBJECT
    return Reason.NO_TEMPLATE if manifest.get("kind") else Reason.NO_KIND


def _passed(document: Document, manifest: dict[str, Any], reason: Reason) -> Passed:
    kind = manifest.get("kind")
    return Passed(
        kind=kind if isinstance(kind, str) else "",
        name=str(name_of(manifest)) if manifest else "",
        reason=reason,
        file=document.file,
        line=document.line,
    )


def unrendered(document: Document) -> Passed:
    """A document that is a template's source."""
    return _passed(document, _head(document.text), Reason.NOT_RENDERED)


def unread(document: Document) -> Iterator[Passed]:
    """The same of a document that is not worth decoding: no word in it is a workload's."""
    if not _TEXT.search(document.text):
        return
    if document.form == "yaml" and (manifest := _head(document.text)):
        yield _passed(document, manifest, _reason(manifest))
        return
    try:
        value = document.load()
    except InputError:
        yield _passed(document, {}, Reason.NO_OBJECT)
        return
    yield from in_document(document, value)


def _head(text: str) -> dict[str, Any]:
    """Kind, version, namespace and name of an object in YAML's block style."""
    found: dict[str, Any] = dict(_HEAD.findall(text))
    if not found:
        return {}
    if flow := _FLOW.search(text):
        found["metadata"] = dict(_FLOW_NAME.findall(_INNER_FLOW.sub("", flow[1])))
    elif (block := _METADATA.search(text)) and (first := _FIRST.search(block[1])):
        key = rf"^{first[0]}(namespace|name):[ \t]+[\"']?([^\s\"'#{{]+)"
        found["metadata"] = dict(re.findall(key, block[1], re.MULTILINE))
    return found
