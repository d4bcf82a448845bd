"""Command-line arguments of FSM's programs.

Source: flomesh-io/fsm charts/fsm/templates *-deployment.yaml, cmd/fsm-*/ (the flags).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.labels import RELEASE, version_label

if TYPE_CHECKING:
    from fsm_stack.settings.stack import StackSettings

VAULT_DEFAULT_ROLE: Final = "flomesh"


def _flag(name: str, *, on: bool) -> str:
    return f"--{name}={'true' if on else 'false'}"


def _vault(settings: StackSettings) -> list[str]:
    """Where Vault is, and which Secret holds its token; the token itself is never an argument."""
    provider = settings.certificate_provider
    if provider.kind != "vault":
        return []
    if provider.vault is None:
        raise InputError("certificateProvider.vault: expected Vault's host and tokenSecret")
    vault = provider.vault
    return [
        *("--vault-host", vault.host),
        *("--vault-port", str(vault.port)),
        *("--vault-protocol", vault.protocol),
        *("--vault-role", vault.role),
        *("--vault-token-secret-name", vault.token_secret.name),
        *("--vault-token-secret-key", vault.token_secret.key),
    ]


def _certificates(settings: StackSettings) -> list[str]:
    """What every program is told about the issuer of certificates."""
    provider = settings.certificate_provider
    issuer = provider.cert_manager
    return [
        *("--ca-bundle-secret-name", provider.ca_bundle_secret_name),
        *("--certificate-manager", provider.kind),
        *("--trust-domain", settings.mesh.trust_domain),
        _flag("enable-mesh-root-certificate", on=False),
        *_vault(settings),
        *("--cert-manager-issuer-name", issuer.issuer_name),
        *("--cert-manager-issuer-kind", issuer.issuer_kind),
        *("--cert-manager-issuer-group", issuer.issuer_group),
        _flag("enable-reconciler", on=settings.mesh.enable_reconciler),
    ]


def _common(settings: StackSettings) -> list[str]:
    return [
        *("--verbosity", settings.observability.fsm_log_level),
        *("--fsm-namespace", settings.namespace),
        *("--fsm-version", version_label(settings)),
    ]


def bootstrap_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-bootstrap."""
    return [*_common(settings), *_certificates(settings)]


def controller_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-controller."""
    return [
        *_common(settings),
        *("--fsm-service-account", RELEASE),
        *("--mesh-name", settings.mesh_name),
        *("--validator-webhook-config", settings.validating_webhook_name),
        *_certificates(settings),
        _flag("enable-multi-clusters", on=settings.mesh.enable_multi_clusters),
        _flag("validate-traffic-target", on=settings.mesh.validate_traffic_target),
    ]


def injector_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-injector."""
    timeout = settings.components.injector.webhook_timeout_seconds
    return [
        *_common(settings),
        *("--mesh-name", settings.mesh_name),
        *("--webhook-config-name", settings.mutating_webhook_name),
        *("--webhook-timeout", str(timeout)),
        *_certificates(settings),
        f"--fsm-container-pull-policy={settings.images.pull_policy}",
    ]
