"""Checks of names: two objects of a stack that would be one, namespaces that are not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.well_known import (
    GATEWAY_MUTATING_WEBHOOK,
    GATEWAY_VALIDATING_WEBHOOK,
    PRESET_CONFIG_MAP,
    REDIRECTION_CONFIG_MAP,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Found = Iterator[tuple[Path, Finding]]

# Namespaces that every injector leaves alone, besides the control plane's own.
# Source: flomesh-io/fsm pkg/injector, the webhook's decision.
_NEVER_INJECTED: Final = ("kube-system", "kube-public")

# Namespaces that the API server makes, and makes again. Source: kube-apiserver
# pkg/controlplane/controller/systemnamespaces, and NamespaceDefault.
_EVERY_CLUSTERS: Final = ("default", "kube-node-lease", "kube-public", "kube-system")

# Other ConfigMaps beside the control plane's: ours, and the one in every namespace.
_CONFIG_MAPS: Final = {
    PRESET_CONFIG_MAP: "the mesh's preset",
    REDIRECTION_CONFIG_MAP: "the rendered redirection",
    "kube-root-ca.crt": "the cluster's CA, in every namespace",
}


def namespaces(settings: StackSettings, _today: date) -> Found:
    """Enrolled namespaces that are listed twice, or that the injector never looks at."""
    seen: set[str] = set()
    for index, namespace in enumerate(settings.enrolled_namespaces):
        path: Path = ("enrolledNamespaces", index, "name")
        name = namespace.name
        if name in seen:
            message = f"{name} is in the list already"
            yield at(path, "name-taken", message, value=name, fix="Remove one of the two.")
        seen.add(name)
        if name in (*_NEVER_INJECTED, settings.namespace):
            message = f"the injector leaves every pod of {name} alone"
            yield at(path, "injection-ignored", message, value=name)
        elif namespace.create and name in _EVERY_CLUSTERS:
            yield _exists(("enrolledNamespaces", index, "create"), name)


def own_namespace(settings: StackSettings, _today: date) -> Found:
    """A control plane in a namespace that belongs to the cluster."""
    if settings.mesh.create_namespace and settings.namespace in _EVERY_CLUSTERS:
        yield _exists(("mesh", "createNamespace"), settings.namespace)


def _exists(path: Path, name: str) -> tuple[Path, Finding]:
    message = f"expected false: namespace {name} is in every cluster, and is not this stack's"
    return at(path, "invalid-value", message, value="true", fix="Write false.")


def webhook_names(settings: StackSettings, _today: date) -> Found:
    """A webhook configuration with the name of one of the gateway's."""
    mesh = settings.mesh
    for path, name, other in (
        (("mesh", "webhookNamePrefix"), settings.mutating_webhook_name, GATEWAY_MUTATING_WEBHOOK),
        (
            ("mesh", "validatorWebhookName" if mesh.validator_webhook_name else "name"),
            settings.validating_webhook_name,
            GATEWAY_VALIDATING_WEBHOOK,
        ),
    ):
        if name == other:
            message = f"{name} is the name of a webhook configuration of FSM's gateway"
            yield at(path, "name-taken", message, value=name)


def config_map_name(settings: StackSettings, _today: date) -> Found:
    """The ConfigMap of Pipy scripts under the name of another one."""
    name = settings.release_assets.config_map_name
    holder = _CONFIG_MAPS.get(name)
    if holder is not None:
        message = f"ConfigMap {name} is taken: it holds {holder}"
        yield at(("releaseAssets", "configMapName"), "name-taken", message, value=name)


CHECKS: Final = (namespaces, own_namespace, webhook_names, config_map_name)
