"""Workloads: where each kind keeps its pod template, and the pod that a template stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
Path = tuple[str | int, ...]

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
