"""A stream of documents through the injector: what each workload becomes, and the text to write.

Source of the form: like ``istioctl kube-inject``, but nothing that is untouched is written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, ObjectName, Place, Severity, finding, in_order
from fsm_stack.injector.decision import (
    NamespaceView,
    assumed_namespace,
    namespace_view,
    webhook_skips,
)
from fsm_stack.workloads.documents import NotRenderedError, json_text
from fsm_stack.workloads.lint import keys
from fsm_stack.workloads.lint.beside import (
    ACCESS_CONTROL,
    BOUNDS,
    SERVICE,
    access_control,
    bounded,
    kind_of,
    service_ports,
)
from fsm_stack.workloads.misplaced import Owner, lost, misplaced, of_moved, template_values
from fsm_stack.workloads.objects import (
    Workload,
    is_namespace,
    name_of,
    object_at,
    objects,
    workloads,
)
from fsm_stack.workloads.passed import (
    Passed,
    below,
    in_document,
    placed,
    placeholders,
    unread,
    unrendered,
)
from fsm_stack.workloads.preview import Preview, preview
from fsm_stack.yaml.decode import DecodeError, too_deep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.workloads.documents import Document
    from fsm_stack.workloads.lint import ClusterRanges
    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path

_NAMED_MAX: Final = 3


@dataclass(slots=True, kw_only=True)
class Context:
    """What every workload of a stream is seen against.

    Attributes:
        mesh: whose injector.
        proxy_id: kind, namespace and name to the id of the preview.
        dump: an object as YAML text, ending in a newline.
        namespaces: those that are known; a stream adds its own as they come.
        enrols: those that the stack enrols; empty where others do that.
        bounds: ResourceQuotas and LimitRanges by namespace, in the same way.
        services: Services by namespace and name, in the same way, where an AccessControl counts.
        templates: owners of pods, and their templates' annotations; a stream adds its own.
        default_namespace: of manifests that name none.
        ranges: the cluster's.
        check: look for everything that is wrong; otherwise only refusals are found.
        keep_going: a template's source is a finding, not the end.
        write: make the text of changed documents, which costs more than all checks.
    """

    mesh: MeshView
    proxy_id: Callable[[str, str, str], str]
    dump: Callable[[Mapping[str, Any]], str]
    namespaces: dict[str, NamespaceView] = field(default_factory=dict)
    enrols: frozenset[str] = frozenset()
    bounds: dict[str, list[Json]] = field(default_factory=dict)
    services: dict[tuple[str, str], Json] = field(default_factory=dict)
    templates: dict[Owner, Mapping[str, Any]] = field(default_factory=dict)
    default_namespace: str = "default"
    ranges: ClusterRanges | None = None
    check: bool = True
    keep_going: bool = False
    write: bool = True

    @property
    def node_level(self) -> bool:
        """Whether the nodes' engine redirects, which obeys AccessControls."""
        return self.check and not self.mesh.system.intercepts(self.mesh.interception_mode)

    def learns(self, document: Document) -> bool:
        """Whether a document can hold a Service or an AccessControl that counts here."""
        return self.node_level and (document.may_be_service() or ACCESS_CONTROL in document.text)

    def doubt(self, namespace: str) -> str:
        """What speaks against taking a namespace that nobody has shown as enrolled."""
        if not self.enrols or namespace in self.enrols:
            return ""
        few = len(self.enrols) <= _NAMED_MAX
        known = ", ".join(sorted(self.enrols)) if few else f"{len(self.enrols)} others"
        return f", although the stack enrols {known} only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One workload and its future.

    Attributes:
        workload: the object.
        preview: of its pod.
        findings: of the pod and of the object, with places in the file.
        unrendered: the values that are not rendered and decide about the injection; with any the
            preview says nothing.
    """

    workload: Workload
    preview: Preview
    findings: tuple[Finding, ...]
    unrendered: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One document after the injector.

    Attributes:
        document: as it was read.
        text: as it is to be written: the source where nothing changed, or nothing is written.
        seen: its workloads.
        others: what is wrong beside them: with its Namespaces, or with the document.
        looked: how many of its objects were looked at.
        unsure: how many of those are not rendered where it decides.
        passed: what was not looked at.
    """

    document: Document
    text: str
    seen: tuple[Seen, ...] = ()
    others: tuple[Finding, ...] = ()
    looked: int = 0
    unsure: int = 0
    passed: tuple[Passed, ...] = ()

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with the document, in its order."""
        return in_order((*self.others, *(found for item in self.seen for found in item.findings)))


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
    # Services matter where their ports can be excluded for all: most inputs have many.
    with_services = context.check and bool(context.mesh.lists.outbound_ports)
    asked = (with_services and document.may_be_service()) or context.learns(document)
    if not document.of_interest() and not asked:
        return Outcome(document=document, text=document.source, passed=tuple(unread(document)))
    try:
        value = document.load()
    except NotRenderedError as error:
        if not context.keep_going:
            raise
        return _source_of_template(document, error)
    try:
        return _outcome(document, value, context)
    except RecursionError:
        raise document.error(too_deep()) from None


def _source_of_template(document: Document, error: NotRenderedError) -> Outcome:
    place = Place(file=document.file, line=error.line)
    found = finding("not-rendered", error.problem)
    return Outcome(
        document=document,
        text=document.source,
        others=(replace(found, place=place),),
        passed=(unrendered(document),),
    )


def _outcome(document: Document, value: Any, context: Context) -> Outcome:  # noqa: ANN401  # JSON
    learn_namespaces(value, context)
    found = tuple(item for item in workloads(value) if _taken(item, context))
    context.templates |= dict(
        template_values(item, context.mesh.system) for item in found if item.template
    )
    seen = tuple(_see(item, context) for item in found)
    places: dict[Path, list[Path]] = {}
    for item in found:
        places.setdefault(item.path, []).append(item.template)
    looked = dict(_others(value, context))
    looked |= {item.path: item.manifest for item in found}
    others: list[Finding] = []
    undecided: dict[Path, list[Finding]] = {}
    may_be_unrendered = document.may_be_unrendered()  # it looks through the whole text
    for path, manifest in looked.items():
        name = _name(manifest, context)
        beside = kind_of(manifest)
        if may_be_unrendered and not beside:
            templates = tuple(places.get(path, ()))
            raw = below(path, name, placeholders(manifest, templates, context.mesh.system))
            if deciding := [one for one in raw if one.severity is Severity.ERROR]:
                undecided[path] = deciding
            others += raw
        if context.check and is_namespace(manifest):
            others += below(path, name, keys.namespace(manifest, context.mesh))
        if beside == SERVICE and _enrolled(name.namespace, context):
            others += below(path, name, service_ports(manifest, context.mesh))
        if beside == ACCESS_CONTROL:
            own = access_control(manifest, context.services, name.namespace)
            others += below(path, name, own)
    seen = tuple(
        _not_known(item, placed(document, undecided[item.workload.path]))
        if item.workload.path in undecided
        else item
        for item in seen
    )
    result = Outcome(
        document=document,
        text=document.source,
        seen=seen,
        others=placed(document, others),
        looked=len(looked),
        unsure=len(undecided),
        passed=tuple(in_document(document, value, looked=looked)),
    )
    changed = [item for item in seen if context.write and item.preview.mutation is not None]
    try:
        text = _written(document, value, changed, context) if changed else document.source
    except (TypeError, ValueError) as error:  # a key of more than 1000 characters
        problem = f"expected what JSON can say: {error}"
        raise document.error(DecodeError(problem)) from None
    return replace(result, text=text, seen=_with_places(document, seen))


# What follows from a namespace or an annotation alone.
_OF_NAMESPACE: Final = frozenset({"not-injected", "namespace-assumed"})


def _not_known(seen: Seen, undecided: tuple[Finding, ...]) -> Seen:
    """A workload of which nobody can say yet whether it is injected."""
    kept = tuple(item for item in seen.findings if item.id not in _OF_NAMESPACE)
    return replace(seen, findings=kept, unrendered=undecided)


def _others(value: object, context: Context) -> Iterator[tuple[Path, Json]]:
    """The objects beside workloads that are looked at."""
    services = context.check and bool(context.mesh.lists.outbound_ports)
    for path, manifest in objects(value):
        beside = kind_of(manifest)
        bound = context.check and beside in BOUNDS
        controls = context.node_level and beside == ACCESS_CONTROL
        asked = bound or controls or (services and beside == SERVICE)
        if is_namespace(manifest) or asked:
            yield path, manifest


def _enrolled(name: str, context: Context) -> bool:
    """Whether a namespace is in the mesh, as far as anybody has shown it."""
    known = context.namespaces.get(name)
    return known is None or webhook_skips(known, context.mesh) is None


def _name(manifest: Json, context: Context) -> ObjectName:
    return name_of(manifest, "" if is_namespace(manifest) else context.default_namespace)


def _taken(item: Workload, context: Context) -> bool:
    """Whether the webhook is asked for it: FSM's for virtual machines, too."""
    return item.kind != "VirtualMachine" or context.mesh.system.injects_virtual_machines


def learn_namespaces(value: object, context: Context) -> bool:
    """Take the Namespace objects of a decoded document into the context, and what bounds them.

    Services are taken, too, where an AccessControl may name them; alone they do not count.

    Returns:
        Whether there is any.
    """
    told = False
    for _, manifest in objects(value):
        if is_namespace(manifest):
            view = namespace_view(manifest)
            context.namespaces[view.name] = view
            told = True
        elif kind_of(manifest) in BOUNDS:
            known = context.bounds.setdefault(_name(manifest, context).namespace, [])
            if manifest not in known:  # files are read twice: for this, and for workloads
                known.append(manifest)
            told = True
        elif context.node_level and kind_of(manifest) == SERVICE:
            name = _name(manifest, context)
            context.services[name.namespace, name.name] = manifest
    return told


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
    system = context.mesh.system
    title = _name(item.manifest, context)
    findings = below(
        item.pod_path, title, (_doubted(one, name, context) for one in found.findings)
    )
    if context.check and found.mutation is not None and name in context.bounds:
        findings += below(item.pod_path, title, bounded(found.mutation, context.bounds[name]))
    findings += below(
        item.path, title, (*misplaced(item, system), *lost(item, context.templates, system))
    )
    if context.check:
        later = of_moved(
            item, found.findings, mesh=context.mesh, namespace=place, ranges=context.ranges
        )
        findings += below(item.path, title, later)
    return Seen(workload=item, preview=found, findings=tuple(findings))


def _doubted(one: Finding, namespace: str, context: Context) -> Finding:
    if one.id != "namespace-assumed":
        return one
    return replace(one, message=one.message + context.doubt(namespace))


def _placed(value: Any, path: tuple[str | int, ...], new: Json) -> Any:  # noqa: ANN401  # JSON
    if not path:
        return new
    name, index = path
    items = list(value[name])
    items[int(index)] = new
    return {**value, name: items}


def _written(document: Document, value: Json, changed: list[Seen], context: Context) -> str:
    """The document with its mutated pods."""
    lead = document.lead
    if document.form == "json":
        return lead + json_text(_with_pods(value, changed))
    if lead and not lead.endswith("\n"):
        lead += "\n"
    return lead + context.dump(_with_pods(value, changed))


def _with_pods(value: Json, changed: list[Seen]) -> Json:
    for item in changed:
        workload = item.workload
        before = object_at(value, workload.path) if workload.number else None
        value = _placed(value, workload.path, workload.with_pod(item.preview.pod, of=before))
    return value


def _with_places(document: Document, seen: tuple[Seen, ...]) -> tuple[Seen, ...]:
    """The findings with file, line and column, in their order."""
    every = iter(placed(document, (found for item in seen for found in item.findings)))
    return tuple(
        replace(item, findings=in_order(islice(every, len(item.findings)))) for item in seen
    )
