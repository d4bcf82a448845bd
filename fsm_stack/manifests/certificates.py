"""Who issues certificates: what every program is told, and the preset of a MeshRootCertificate.

Source: flomesh-io/fsm charts/fsm/templates preset-mesh-root-certificate.yaml and the arguments of
its Deployments; cmd/fsm-bootstrap, createMeshRootCertificate.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.errors import InputError
from fsm_stack.manifests.manifest import Manifest, Part, Wave

if TYPE_CHECKING:
    from fsm_stack.settings.models.control_plane import Vault
    from fsm_stack.settings.models.stack import StackSettings

_PRESET: Final = "preset-mesh-root-certificate"


def flag(name: str, *, on: bool) -> str:
    """A switch of FSM's programs, which they take with an equals sign only."""
    return f"--{name}={'true' if on else 'false'}"


def _vault(settings: StackSettings) -> Vault:
    vault = settings.certificate_provider.vault
    if vault is None:
        raise InputError("certificateProvider.vault: expected Vault's host and tokenSecret")
    return vault


def _vault_arguments(settings: StackSettings) -> list[str]:
    """Where Vault is, and which Secret holds its token; the token itself is never an argument."""
    if settings.certificate_provider.kind != "vault":
        return []
    vault = _vault(settings)
    return [
        *("--vault-host", vault.host),
        *("--vault-port", str(vault.port)),
        *("--vault-protocol", vault.protocol),
        *("--vault-role", vault.role),
        *("--vault-token-secret-name", vault.token_secret.name),
        *("--vault-token-secret-key", vault.token_secret.key),
    ]


def certificate_arguments(settings: StackSettings) -> list[str]:
    """What every program is told about the issuer of certificates."""
    provider = settings.certificate_provider
    issuer = provider.cert_manager
    return [
        *("--ca-bundle-secret-name", provider.ca_bundle_secret_name),
        *("--certificate-manager", provider.kind),
        *("--trust-domain", settings.mesh.trust_domain),
        flag("enable-mesh-root-certificate", on=provider.mesh_root_certificate),
        *_vault_arguments(settings),
        *("--cert-manager-issuer-name", issuer.issuer_name),
        *("--cert-manager-issuer-kind", issuer.issuer_kind),
        *("--cert-manager-issuer-group", issuer.issuer_group),
        flag("enable-reconciler", on=settings.mesh.enable_reconciler),
    ]


def _issuer(settings: StackSettings) -> dict[str, Any]:
    """The issuer as a MeshRootCertificate names it."""
    provider, namespace = settings.certificate_provider, settings.namespace
    match provider.kind:
        case "tresor":
            secret = {"name": provider.ca_bundle_secret_name, "namespace": namespace}
            return {"tresor": {"ca": {"secretRef": secret}}}
        case "cert-manager":
            issuer = provider.cert_manager
            return {
                "certManager": {
                    "issuerName": issuer.issuer_name,
                    "issuerKind": issuer.issuer_kind,
                    "issuerGroup": issuer.issuer_group,
                }
            }
        case "vault":
            vault = _vault(settings)
            token = {**vault.token_secret.model_dump(), "namespace": namespace}
            return {
                "vault": {
                    "token": {"secretKeyRef": token},
                    "host": vault.host,
                    "role": vault.role,
                    "protocol": vault.protocol,
                    "port": vault.port,
                }
            }
        case _ as never:
            assert_never(never)


def preset_root_certificate(settings: StackSettings) -> tuple[Manifest, ...]:
    """What bootstrap makes the first MeshRootCertificate of, where the stack wants one."""
    if not settings.certificate_provider.mesh_root_certificate:
        return ()
    named = {"trustDomain": settings.mesh.trust_domain, "provider": _issuer(settings)}
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _PRESET, "namespace": settings.namespace},
        "data": {f"{_PRESET}.json": f"{json.dumps(named, indent=2)}\n"},
    }
    return (Manifest(object=config_map, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION),)
