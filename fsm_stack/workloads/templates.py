"""Where an object keeps the pods that it makes: at the place of its kind, or wherever one is.

Kubernetes' own kinds are known by name. Any other object, an operator's or one of an old API
group, makes pods where something below it has a pod's form: a ``spec`` with ``containers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.admission import VIRTUAL_MACHINE
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.yaml.decode import Path

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
    if (manifest["apiVersion"], kind) == VIRTUAL_MACHINE:
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
