"""Checks of what the control plane's pods and the sidecars ask of Kubernetes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.affinity import AFFINITY, misfits
from fsm_stack.settings.checks.at import at
from fsm_stack.settings.components import LABEL_KEY, LABEL_VALUE
from fsm_stack.settings.problems import nearest
from fsm_stack.settings.quantity import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings import Finding
    from fsm_stack.settings.components import Component, Resources
    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.settings.yaml_text import Path

    Found = Iterator[tuple[Path, Finding]]

# Resources that a container may ask for under a plain name; others have a domain in front.
# Source: k8s.io/kubernetes pkg/apis/core/helper, IsStandardContainerResourceName.
_STANDARD: Final = ("cpu", "ephemeral-storage", "memory")
_HUGE_PAGES: Final = re.compile(r"hugepages-[0-9]+(Ki|Mi|Gi)")
_EXTENDED: Final = re.compile(
    r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)

# Labels that select the pods, or that other objects find them by: never a user's.
_OWN_LABELS: Final = (
    "app",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/name",
    "app.kubernetes.io/version",
    "codebase",
)
_COMPONENTS: Final = ("bootstrap", "controller", "injector")


def _components(settings: StackSettings) -> Iterator[tuple[str, Component]]:
    for key in _COMPONENTS:
        yield key, getattr(settings.components, key)


def _resources(settings: StackSettings) -> Iterator[tuple[Path, Resources]]:
    """Every pair of requests and limits, with its path in the file."""
    owners: list[tuple[Path, Any]] = [
        (("components", key), component) for key, component in _components(settings)
    ]
    for path, owner in [*owners, (("sidecar",), settings.sidecar)]:
        for field, info in type(owner).model_fields.items():
            if field == "resources" or field.endswith("_resources"):
                yield (*path, info.alias or field), getattr(owner, field)


def resources(settings: StackSettings, _today: date) -> Found:
    """Names that no container may ask for, and requests above their limits."""
    for path, wanted in _resources(settings):
        for side in ("limits", "requests"):
            for name in getattr(wanted, side):
                if not _is_resource(name):
                    yield _unknown_resource((*path, side, name), name)
        for name, text in wanted.requests.items():
            limit = wanted.limits.get(name)
            if limit is not None and (amount(text) or 0) > (amount(limit) or 0):
                message = f"expected at most the limit {limit}, got {text}"
                yield at((*path, "requests", name), "invalid-value", message, value=text)


def _is_resource(name: str) -> bool:
    return bool(name in _STANDARD or _HUGE_PAGES.fullmatch(name) or _EXTENDED.fullmatch(name))


def _unknown_resource(path: Path, name: str) -> tuple[Path, Finding]:
    meant = nearest(name, list(_STANDARD))
    hint = f"; did you mean {meant!r}?" if meant else ""
    message = (
        "expected cpu, memory, ephemeral-storage, hugepages-<size> or <domain>/<name>, "
        f"got {name!r}{hint}"
    )
    return at(path, "unknown-key", message, fix=f"Write {meant}." if meant else "")


def pod_labels(settings: StackSettings, _today: date) -> Found:
    """A label that the Deployment finds its pods by."""
    for key, component in _components(settings):
        for label in component.pod_labels:
            if label in _OWN_LABELS:
                path: Path = ("components", key, "podLabels", label)
                message = f"label {label} is set by the control plane; the value would be lost"
                yield at(path, "name-taken", message, fix="Remove it.")


def codebase(settings: StackSettings, _today: date) -> Found:
    """The repository's folder, which is a label of the controller's pods too."""
    folder = settings.repo_server.codebase
    declared = settings.profile.declares_control_plane
    if declared and re.fullmatch(LABEL_VALUE, folder) is None:
        message = (
            "expected at most 63 letters, digits, '-', '_' and '.', since the controller's pods "
            f"have it as a label, got {folder!r}"
        )
        yield at(("repoServer", "codebase"), "invalid-value", message, value=folder)


def tolerations(settings: StackSettings, _today: date) -> Found:
    """Combinations that Kubernetes refuses. Source: its ValidateTolerations."""
    for key, component in _components(settings):
        for index, toleration in enumerate(component.tolerations):
            path: Path = ("components", key, "tolerations", index)
            exists = toleration.operator == "Exists"
            if toleration.key and re.fullmatch(LABEL_KEY, toleration.key) is None:
                message = (
                    f"expected a taint's key such as example.com/name, got {toleration.key!r}"
                )
                yield at((*path, "key"), "invalid-value", message, value=toleration.key)
            if exists and toleration.value:
                message = "expected no value with operator Exists"
                yield at((*path, "value"), "invalid-value", message, value=toleration.value)
            if not toleration.key and not exists:
                message = "expected operator Exists where there is no key"
                yield at(path, "invalid-value", message, fix="Add the key, or operator: Exists.")
            if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
                message = "expected tolerationSeconds only with effect NoExecute"
                yield at((*path, "tolerationSeconds"), "invalid-value", message)


def pull_secrets(settings: StackSettings, _today: date) -> Found:
    """A Secret that is named twice, which server-side apply refuses."""
    seen: set[str] = set()
    for index, secret in enumerate(settings.images.pull_secrets):
        if secret.name in seen:
            message = f"{secret.name} is in the list already"
            path: Path = ("images", "pullSecrets", index, "name")
            yield at(path, "name-taken", message, value=secret.name, fix="Remove one of the two.")
        seen.add(secret.name)


def affinity(settings: StackSettings, _today: date) -> Found:
    """Keys and types that Kubernetes' Affinity does not have."""
    for key, component in _components(settings):
        if component.affinity is not None:
            yield from misfits(component.affinity, AFFINITY, ("components", key, "affinity"))


CHECKS: Final = (resources, pod_labels, codebase, tolerations, pull_secrets, affinity)
