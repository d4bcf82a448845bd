"""A stream of documents through the injector: what each workload becomes, and the text to write.

Source of the form: like ``istioctl kube-inject``, but nothing that is untouched is written anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, Place, in_order
from fsm_stack.injector.decision import NamespaceView, assumed_namespace, namespace_view
from fsm_stack.injector.pieces import MARK
from fsm_stack.workloads.documents import Workload, json_text, objects, workloads
from fsm_stack.workloads.lint import keys
from fsm_stack.workloads.misplaced import Owner, lost, misplaced, template_keys
from fsm_stack.workloads.preview import Preview, preview
from fsm_stack.yaml.decode import DecodeError, too_deep
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pieces import Piece
    from fsm_stack.workloads.documents import Document
    from fsm_stack.workloads.lint import ClusterRanges

Json = dict[str, Any]


_MARKED_ITEM: Final = re.compile(f"^( *)- [\"']?{MARK}[\"']?$", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Context:
    """What every workload of a stream is seen against.

    Attributes:
        mesh: whose injector.
        proxy_id: kind, namespace and name to the id of the preview.
        dump: an object as YAML text, ending in a newline.
        namespaces: those that are known; a stream adds its own as they come.
        templates: owners of pods, and their templates' annotations; a stream adds its own.
        default_namespace: of manifests that name none.
        ranges: the cluster's.
        check: look for everything that is wrong; otherwise only refusals are found.
        write: make the text of changed documents, which costs more than all checks.
    """

    mesh: MeshView
    proxy_id: Callable[[str, str, str], str]
    dump: Callable[[Mapping[str, Any]], str]
    namespaces: dict[str, NamespaceView] = field(default_factory=dict)
    templates: dict[Owner, frozenset[str]] = field(default_factory=dict)
    default_namespace: str = "default"
    ranges: ClusterRanges | None = None
    check: bool = True
    write: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One workload and its future.

    Attributes:
        workload: the object.
        preview: of its pod.
        findings: of the pod and of the object, with places in the file.
    """

    workload: Workload
    preview: Preview
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One document after the injector.

    Attributes:
        document: as it was read.
        text: as it is to be written: the source where nothing changed, or nothing is written.
        seen: its workloads.
        namespaces: what is wrong with its Namespaces.
    """

    document: Document
    text: str
    seen: tuple[Seen, ...] = ()
    namespaces: tuple[Finding, ...] = ()

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with the document, in its order."""
        return in_order(
            (*self.namespaces, *(found for item in self.seen for found in item.findings))
        )


def run(documents: Iterable[Document], context: Context) -> Iterator[Outcome]:
    """Each document's outcome, in order.

    Namespaces among the documents count from where they stand; give those that come later, or
    from elsewhere, in the context.

    Raises:
        InputError: for a document that cannot be decoded.
    """
    for document in documents:
        yield outcome(document, context)


def outcome(document: Document, context: Context) -> Outcome:
    """One document's outcome.

    Raises:
        InputError: when it cannot be decoded.
    """
    if not document.of_interest():
        return Outcome(document=document, text=document.source)
    value = document.load()
    try:
        return _outcome(document, value, context)
    except RecursionError:
        raise document.error(too_deep()) from None


def _outcome(document: Document, value: Any, context: Context) -> Outcome:  # noqa: ANN401  # JSON
    learn_namespaces(value, context)
    found = tuple(workloads(value))
    context.templates |= dict(template_keys(item) for item in found if item.template)
    seen = tuple(_see(item, context) for item in found)
    namespaces = _namespaces(document, value, context) if context.check else ()
    if not seen:
        return Outcome(document=document, text=document.source, namespaces=namespaces)
    changed = [item for item in seen if context.write and item.preview.mutation is not None]
    try:
        text = _written(document, value, changed, context) if changed else document.source
    except (TypeError, ValueError) as error:  # a key of more than 1000 characters
        problem = f"expected what JSON can say: {error}"
        raise document.error(DecodeError(problem)) from None
    placed = _with_places(document, seen)
    return Outcome(document=document, text=text, seen=placed, namespaces=namespaces)


def _namespaces(document: Document, value: object, context: Context) -> tuple[Finding, ...]:
    found = [
        item.at(path=_joined(path_text(path), item.place.path))
        for path, manifest in objects(value)
        if _is_namespace(manifest)
        for item in keys.namespace(manifest, context.mesh.system)
    ]
    marks = _marks(document) if found else {}
    return tuple(_with_place(document, item, marks) for item in found)


def _is_namespace(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("kind") == "Namespace" and manifest.get("apiVersion") == "v1"


def learn_namespaces(value: object, context: Context) -> None:
    """Take the Namespace objects of a decoded document into the context."""
    for _, manifest in objects(value):
        if _is_namespace(manifest):
            view = namespace_view(manifest)
            context.namespaces[view.name] = view


def _see(item: Workload, context: Context) -> Seen:
    name = item.namespace or context.default_namespace
    place = context.namespaces.get(name) or assumed_namespace(name, context.mesh)
    found = preview(
        item.pod(),
        mesh=context.mesh,
        namespace=place,
        proxy_id=context.proxy_id(item.kind, name, item.name),
        ranges=context.ranges,
        check=context.check,
    )
    if not context.check and not found.findings:
        return Seen(workload=item, preview=found, findings=())
    prefix = path_text(item.pod_path)
    findings = [finding.at(path=_joined(prefix, finding.place.path)) for finding in found.findings]
    above = path_text(item.path)
    findings += [
        finding.at(path=_joined(above, finding.place.path))
        for finding in (
            *misplaced(item, context.mesh.system),
            *lost(item, context.templates, context.mesh.system),
        )
    ]
    return Seen(workload=item, preview=found, findings=tuple(findings))


def _joined(prefix: str, path: str) -> str:
    if not path or path.startswith("namespace "):
        return path or prefix
    return f"{prefix}.{path}" if prefix else path


def _placed(value: Any, path: tuple[str | int, ...], new: Json) -> Any:  # noqa: ANN401  # JSON
    if not path:
        return new
    name, index = path
    items = list(value[name])
    items[int(index)] = new
    return {**value, name: items}


def _written(document: Document, value: Json, changed: list[Seen], context: Context) -> str:
    """The document with its mutated pods; in YAML, the pieces' text is made once for all."""
    lead = document.lead
    if document.form == "json":
        return lead + json_text(_with_pods(value, changed))
    if lead and not lead.endswith("\n"):
        lead += "\n"
    marked = value
    pieces: list[Piece] = []
    for item in changed:
        if item.preview.mutation is not None:
            pod, added = item.preview.mutation.marked()
            pieces += added
            marked = _placed(marked, item.workload.path, item.workload.with_pod(pod))
    parts = _MARKED_ITEM.split(context.dump(marked))
    if len(parts) != 2 * len(pieces) + 1:  # the user's own text holds the mark
        return lead + context.dump(_with_pods(value, changed))
    found = [lead, parts[0]]
    for piece, pad, rest in zip(pieces, parts[1::2], parts[2::2], strict=True):
        found.append(piece.yaml_item(context.dump, pad))
        found.append(rest)
    return "".join(found)


def _with_pods(value: Json, changed: list[Seen]) -> Json:
    for item in changed:
        value = _placed(value, item.workload.path, item.workload.with_pod(item.preview.pod))
    return value


def _with_places(document: Document, seen: tuple[Seen, ...]) -> tuple[Seen, ...]:
    """The findings with file, line and column; lines are looked up only where there are any."""
    if not any(item.findings for item in seen):
        return seen
    marks = _marks(document)
    return tuple(
        replace(
            item,
            findings=in_order(_with_place(document, found, marks) for found in item.findings),
        )
        for item in seen
    )


def _marks(document: Document) -> dict[str, tuple[int, int]]:
    return {path_text(path): mark for path, mark in document.places().items()}


def _with_place(
    document: Document, finding: Finding, marks: Mapping[str, tuple[int, int]]
) -> Finding:
    path = finding.place.path
    mark = marks.get(path)
    while mark is None and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
        mark = marks.get(path)
    line, column = mark or (document.line, None)
    place = Place(file=document.file, line=line, column=column, path=finding.place.path)
    return replace(finding, place=place)
