"""Streams of Kubernetes documents, and the workloads in them, within bounds.

What is not changed passes through as the text that it is, byte for byte.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError
from fsm_stack.yaml import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.yaml.decode import DecodeError, Path

Json = dict[str, Any]

_TEMPLATE: Final = ("spec", "template")
# API group and kind to the place of the pod template. Source: the Kubernetes API reference.
TEMPLATES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): _TEMPLATE,
    ("", "PodTemplate"): ("template",),
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
# What controls a template's pods: the kind, and what is appended to the name.
_CONTROLLERS: Final = {
    "Deployment": ("ReplicaSet", "-0"),  # the injector turns it back into the Deployment
    "CronJob": ("Job", "-0"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One object that is, or makes, pods.

    Attributes:
        kind: ``Deployment``, ``Pod`` and so on.
        name: its name; "" where it has none.
        namespace: "" where the manifest does not say.
        path: where the object is in its document.
        template: where the pod template is in the object; () for a Pod.
        manifest: the object.
    """

    kind: str
    name: str
    namespace: str
    path: Path
    template: tuple[str, ...]
    manifest: Json

    @property
    def title(self) -> str:
        """``Deployment shop/web``."""
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name or '(unnamed)'}"

    @property
    def pod_path(self) -> Path:
        """Where the pod is in the document."""
        return (*self.path, *self.template)

    def pod(self) -> Json:
        """The pod that is created: the object itself, or what its controller makes of it."""
        if not self.template:
            return self.manifest
        found = object_at(self.manifest, self.template)
        metadata = found.get("metadata")
        kind, suffix = _CONTROLLERS.get(self.kind, (self.kind, ""))
        owner = {"kind": kind, "name": f"{self.name}{suffix}", "controller": True}
        if isinstance(metadata, dict) or metadata is None:
            metadata = {**(metadata or {}), "ownerReferences": [owner]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": found.get("spec")}

    def with_pod(self, pod: Mapping[str, Any]) -> Json:
        """The object with another pod, or template."""
        if not self.template:
            return dict(pod)
        metadata = {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"}
        old = object_at(self.manifest, self.template)
        return _replaced(
            self.manifest, self.template, {**old, "metadata": metadata, "spec": pod["spec"]}
        )


def object_at(value: Any, path: Path) -> Json:  # noqa: ANN401  # decoded JSON
    """The object at a path; empty where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _replaced(value: Json, path: tuple[str, ...], new: Json) -> Json:
    head, *rest = path
    return {**value, head: _replaced(value[head], tuple(rest), new) if rest else new}


def workloads(document: Any) -> Iterator[Workload]:  # noqa: ANN401  # decoded YAML or JSON
    """Every workload of a decoded document, those in lists too, in order."""
    for path, manifest in objects(document):
        group, _, version = str(manifest.get("apiVersion") or "").rpartition("/")
        template = TEMPLATES.get((group, str(manifest.get("kind")))) if version else None
        if template is None or (template and not object_at(manifest, template)):
            continue
        metadata = manifest.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        yield Workload(
            kind=str(manifest["kind"]),
            name=_text(known.get("name")) or _text(known.get("generateName")),
            namespace=_text(known.get("namespace")),
            path=path,
            template=template,
            manifest=manifest,
        )


def objects(document: Any) -> Iterator[tuple[Path, Json]]:  # noqa: ANN401  # decoded YAML or JSON
    """The objects of a document, each with its path: itself, or a list's items."""
    if not isinstance(document, dict):
        return
    kind, items = document.get("kind"), document.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield (), document
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            given = item
            if kind != "List" and "kind" not in item:  # a typed list's items need not say it
                given = {
                    "apiVersion": document.get("apiVersion"),
                    "kind": kind.removesuffix("List"),
                    **item,
                }
            yield ("items", index), given


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# One document: a list of 10,000 pods has 20 MB. What is longer is no Kubernetes object.
MAX_CHARACTERS: Final = 1 << 26
BYTE_ORDER_MARK: Final = "\ufeff"

# Only documents with one of these words can hold a workload or a namespace.
_OF_INTEREST: Final = re.compile(
    "Pod|Deployment|StatefulSet|DaemonSet|Replica|Replication|Job|List|Namespace"
)
# Two JSON values one after the other, as several calls of kubectl print them. Inside of a value
# there is a comma between two objects, and a text holds no line break.
_NEXT_VALUE: Final = re.compile(r"(?<=\})[ \t]*\r?\n\s*(?=\{)")
_INNER: Final = " " * 8
_EMPTY: Final = '\n    "items": []'


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a stream.

    Attributes:
        file: the stream's name.
        line: of its first line, from 1.
        lead: the marker line before it, ``---``; "" where there is none.
        text: what follows, up to the next marker.
        behind: the next marker's line; "" at the stream's end.
    """

    file: str
    line: int
    lead: str
    text: str
    behind: str = ""

    @property
    def form(self) -> Literal["json", "yaml"]:
        """JSON when its first character says so; YAML's flow style is written as JSON then."""
        return "json" if self._plain.lstrip()[:1] in {"{", "["} else "yaml"

    @property
    def source(self) -> str:
        """The document as it was read."""
        return self.lead + self.text

    @property
    def _plain(self) -> str:
        return self.text.removeprefix(BYTE_ORDER_MARK)

    def of_interest(self) -> bool:
        """Whether it can hold a workload or a namespace at all; False needs no decoding."""
        return _OF_INTEREST.search(self.text) is not None

    def load(self) -> Any:  # noqa: ANN401  # decoded YAML or JSON
        """The decoded document.

        Raises:
            InputError: when it cannot be decoded, or only at unreasonable cost.
        """
        try:
            if self.form == "json":
                try:
                    return decode.decode_json(self._plain)
                except ValueError:
                    pass  # YAML in flow style, or broken: YAML's message has the place
            return decode.decode_yaml(self.text)
        except decode.DecodeError as error:
            raise self.error(error) from None

    def error(self, error: DecodeError) -> InputError:
        """A problem of this document, with its place in the file."""
        return InputError(f"{self.file}:{self.line + error.line}: {error.problem}")

    def places(self) -> dict[Path, tuple[int, int]]:
        """Line and column of every value's key, or of the value itself in a list."""
        return decode.places(self.text, self.line)


def json_text(value: Any) -> str:  # noqa: ANN401  # JSON
    """A document as JSON, indented as kubectl indents it.

    A list is written item by item: Python's encoder keeps every token of what it is given.
    """
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        return _indented(value) + "\n"
    # No JSON text holds a line break, and only the outermost object's keys stand so far left.
    before, _, after = _indented({**value, "items": []}).partition(_EMPTY)
    inner = ",\n".join(_indented(item) for item in items).replace("\n", f"\n{_INNER}")
    return f"{before}{_EMPTY[:-1]}\n{_INNER}{inner}\n    ]{after}\n"


def _indented(value: object) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False)


def split(lines: Iterable[str], *, file: str) -> Iterator[Document]:
    """The documents of a stream; joined, their sources are the stream.

    Args:
        lines: the stream, line by line, with line ends; only one document is held at a time.
        file: its name, for messages.

    Raises:
        InputError: for a document that is too large.
    """
    lead, line, size = "", 1, 0
    body: list[str] = []
    for number, text in enumerate(lines, start=1):
        if text.startswith("---") and (len(text) == 3 or text[3] in " \t\r\n"):  # noqa: PLR2004
            if lead or body:
                yield from _values(file, line, lead, "".join(body), behind=text)
            lead, body, size = text[:3], [text[3:]], 0
            line = number
            if not text[3:].strip():
                lead, body, line = text, [], number + 1
            continue
        body.append(text)
        size += len(text)
        if size > MAX_CHARACTERS:
            raise InputError(
                f"{file}:{line}: expected at most {MAX_CHARACTERS} characters in one document"
            )
    if lead or body:
        yield from _values(file, line, lead, "".join(body))


def _values(file: str, line: int, lead: str, text: str, *, behind: str = "") -> Iterator[Document]:
    """The document, or each of the JSON values that stand where a document would."""
    whole = Document(file=file, line=line, lead=lead, text=text, behind=behind)
    start = 0
    if whole.form == "json":
        for match in _NEXT_VALUE.finditer(text):
            part = text[start : match.end()]
            yield Document(file=file, line=line, lead=lead, text=part)
            lead, start, line = "", match.end(), line + part.count("\n")
    yield Document(file=file, line=line, lead=lead, text=text[start:]) if start else whole
