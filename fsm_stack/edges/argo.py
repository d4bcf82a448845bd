"""What Argo CD must not take for drift: fields that FSM's own programs write on purpose.

Source: Argo CD "Diff Customization", ``ignoreDifferences`` and ``jqPathExpressions``; the sync
option ``RespectIgnoreDifferences``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.edges.yaml_text import dump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.manifests.manifest import Manifest

FILE_NAME: Final = "argocd-ignore-differences.yaml"
_NOTE: Final = (
    "# Written by fsm-stack render: fields that FSM's own programs write.\n"
    "# Belongs under spec of the Argo CD Application of this directory.\n"
)


def jq_path(path: str) -> str:
    """A Pulumi property path as a jq expression: ``webhooks[*].x`` is ``.webhooks[]?.x``."""
    return f".{path.replace('[*]', '[]?')}"


def ignored_differences(manifests: Iterable[Manifest]) -> str:
    """The part of an Application's ``spec`` that names foreign-written fields; "" without any."""
    entries: list[dict[str, Any]] = []
    for manifest in manifests:
        if not manifest.foreign_paths:
            continue
        entry: dict[str, Any] = {
            "group": manifest.api_version.rpartition("/")[0],
            "kind": manifest.kind,
            "name": manifest.name,
            "jqPathExpressions": [jq_path(path) for path in manifest.foreign_paths],
        }
        entries.append(entry)
    if not entries:
        return ""
    options = {"syncOptions": ["ServerSideApply=true", "RespectIgnoreDifferences=true"]}
    return _NOTE + dump({"ignoreDifferences": entries, "syncPolicy": options})
