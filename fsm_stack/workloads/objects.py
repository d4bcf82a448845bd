"""Pod templates wherever an object of any kind holds one, and the workload around each.

Kubernetes' own kinds are known by name. Any other object, an operator's or one of an old API
group, makes pods where something below it has a pod's form: a ``spec`` with ``containers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import ObjectName
from fsm_stack.injector.decision import is_virtual_machine
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path


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
# Templates of custom resources stand at most so deep; Kubeflow's has 6 steps, a JobSet's 7.
_STEPS_MAX: Final = 12
_NO_TEMPLATES: Final = frozenset({"metadata", "status"})


def template_paths(manifest: Mapping[str, Any]) -> tuple[Path, ...]:
    """The places of an object's pod templates, in its order; ``()`` is the object itself.

    Args:
        manifest: a decoded object, with ``apiVersion`` and ``kind``.
    """
    group, _, version = str(manifest.get("apiVersion") or "").rpartition("/")
    kind = str(manifest.get("kind"))
    if not version:
        return ()
    if is_virtual_machine(manifest):
        return ((),)
    known = TEMPLATES.get((group, kind))
    if known is None:
        return tuple(_found(manifest, ()))
    return (known,) if not known or _is_object(manifest, known) else ()


def _found(value: object, path: Path) -> Iterator[Path]:
    if len(path) > _STEPS_MAX:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from _found(item, (*path, index))
    elif isinstance(value, dict):
        if path and _is_template(value):
            yield path
            return
        for key, item in value.items():
            if isinstance(key, str) and isinstance(item, dict | list) and key not in _NO_TEMPLATES:
                yield from _found(item, (*path, key))


def _is_template(value: Mapping[str, Any]) -> bool:
    spec = value.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    return (
        isinstance(containers, list)
        and bool(containers)
        and all(isinstance(item, dict) for item in containers)
    )


def _is_object(value: Any, path: Path) -> bool:  # noqa: ANN401  # decoded JSON
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return isinstance(value, dict) and bool(value)


def place_told(manifest: Mapping[str, Any], template: Path) -> str:
    """Where a pod template stands, where the object is none of Kubernetes' own; else ""."""
    group, _, _ = str(manifest.get("apiVersion") or "").rpartition("/")
    known = (group, str(manifest.get("kind"))) in TEMPLATES
    return "" if known or not template else path_text(template)


# What controls a template's pods: the kind, and what is appended to the name.
_CONTROLLERS: Final = {
    "Deployment": ("ReplicaSet", "-0"),  # the injector turns it back into the Deployment
    "CronJob": ("Job", "-0"),
    "Rollout": ("ReplicaSet", "-0"),
    "DeploymentConfig": ("ReplicationController", "-0"),
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
        number: which of the object's templates it is, from 0.
        count: how many templates the object has.
    """

    kind: str
    name: str
    namespace: str
    path: Path
    template: Path
    manifest: Json
    number: int = 0
    count: int = 1

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

    def with_pod(self, pod: Mapping[str, Any], *, of: Json | None = None) -> Json:
        """The object with another pod, or template.

        Args:
            pod: the new one.
            of: the object where it was changed already, in another of its templates.
        """
        if not self.template:
            return dict(pod)
        metadata = {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"}
        old = object_at(self.manifest, self.template)
        changed: Json = _replaced(
            of or self.manifest, self.template, {**old, "metadata": metadata, "spec": pod["spec"]}
        )
        return changed


def object_at(value: Any, path: Path) -> Json:  # noqa: ANN401  # decoded JSON
    """The object at a path; empty where there is none."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return {}
    return value if isinstance(value, dict) else {}


def _replaced(value: Any, path: Path, new: Json) -> Any:  # noqa: ANN401  # decoded JSON
    if not path:
        return new
    head, *rest = path
    changed = value.copy()
    changed[head] = _replaced(value[head], tuple(rest), new)
    return changed


def workloads(document: Any) -> Iterator[Workload]:  # noqa: ANN401  # decoded YAML or JSON
    """Every workload of a decoded document, those in lists too, in order."""
    for path, manifest in objects(document):
        templates = template_paths(manifest)
        metadata = manifest.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        for number, template in enumerate(templates):
            yield Workload(
                kind=_text(manifest.get("kind")),
                name=_text(known.get("name")) or _text(known.get("generateName")),
                namespace=_text(known.get("namespace")),
                path=path,
                template=template,
                manifest=manifest,
                number=number,
                count=len(templates),
            )


def name_of(manifest: Mapping[str, Any], default_namespace: str = "") -> ObjectName:
    """An object's kind, namespace and name, as far as it says them.

    Args:
        manifest: the object.
        default_namespace: of one that names none.
    """
    metadata = manifest.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    name = _text(known.get("name")) or _text(known.get("generateName"))
    namespace = "" if is_namespace(manifest) else _text(known.get("namespace"))
    return ObjectName(_text(manifest.get("kind")), namespace or default_namespace, name)


def is_namespace(manifest: Mapping[str, Any]) -> bool:
    """Whether an object is a Namespace."""
    return manifest.get("kind") == "Namespace" and manifest.get("apiVersion") == "v1"


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
