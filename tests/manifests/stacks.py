"""Settings and bundles for the tests of manifests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset, wanted_texts
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.models.stack import StackSettings

if TYPE_CHECKING:
    from fsm_stack.manifests.manifest import Manifest

# Everything that adds an object or a field.
FULL: dict[str, Any] = {
    "fsmVersion": "1.6.0",
    "mesh": {"enableReconciler": True},
    "images": {"pullSecrets": [{"name": "regcred"}]},
    "components": {
        "controller": {
            "podDisruptionBudget": True,
            "autoscaling": {"enabled": True},
            "tolerations": [{"key": "mesh", "operator": "Exists"}],
            "nodeSelector": {"disk": "ssd"},
            "podLabels": {"team": "mesh"},
        },
        "injector": {"podDisruptionBudget": True, "autoscaling": {"enabled": True}},
    },
    "certificateProvider": {
        "kind": "vault",
        "vault": {"host": "vault.example.com", "tokenSecret": {"name": "vault", "key": "token"}},
    },
    "enrolledNamespaces": [
        {"name": "shop", "create": True},
        {"name": "bank", "metrics": True},
        {"name": "quiet", "sidecarInjection": False},
    ],
    "annotationProfiles": {"redis-client": {"outboundPortExclusionList": [6379]}},
    "guard": {
        "meshConfig": "deny",
        "pods": "deny",
        "bypasses": "warn",
        "allow": [{"namespace": "shop", "outboundPortExclusionList": [5432]}],
    },
}

# The same with every program that a stack may run beside its control plane.
EVERYTHING: dict[str, Any] = FULL | {
    "traffic": {"interceptionMode": "NodeLevel"},
    "certificateProvider": FULL["certificateProvider"] | {"meshRootCertificate": True},
    "ingress": {"enabled": True, "type": "NodePort", "tls": {"enabled": True}},
    "egressGateway": {"enabled": True},
    "serviceLB": {"enabled": True},
    "flb": {"enabled": True},
    "components": FULL["components"]
    | {
        "prometheus": {"enabled": True},
        "grafana": {"enabled": True, "remoteRendering": True},
        "jaeger": {"enabled": True},
        "fluentBit": {
            "enabled": True,
            "outputPlugin": "azure",
            "azure": {"workspaceId": "w", "keySecret": {"name": "azure", "key": "key"}},
            "proxySecret": "proxy",
        },
    },
}


def settings_of(data: dict[str, Any]) -> StackSettings:
    """Settings as a stack file gives them."""
    return StackSettings.model_validate_json(json.dumps(data))


def asset_for(settings: StackSettings) -> ReleaseAsset:
    """Some bytes in place of the release's Pipy scripts, and texts in place of its others."""
    texts = {name: f'{{"of": "{name}"}}\n' for name in wanted_texts(settings)}
    return ReleaseAsset(
        version=settings.fsm_version, sha256="0" * 64, scripts=b"pipy", texts=texts
    )


def bundle_of(data: dict[str, Any]) -> tuple[Manifest, ...]:
    """The bundle of settings in the file's form."""
    settings = settings_of(data)
    return bundle(settings, redirection(settings), asset=asset_for(settings))


def named(data: dict[str, Any], kind: str, name: str) -> Manifest:
    """One manifest of a bundle; exactly one has the kind and name."""
    [found] = [item for item in bundle_of(data) if (item.kind, item.name) == (kind, name)]
    return found
