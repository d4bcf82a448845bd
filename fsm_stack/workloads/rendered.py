"""Placeholders that nobody has replaced yet, where they decide about a pod: ``$X`` and ``{{ }}``.

Commands, configuration in annotations and the like hold such texts rightly: only values that
Kubernetes gives a form without them, and the mesh's own keys, are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.workloads.objects import object_at
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.systems import System
    from fsm_stack.yaml.decode import Path

_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*", re.DOTALL)


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
        found = _PLACEHOLDER.search(text) if isinstance(text, str) else None
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
