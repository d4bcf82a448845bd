"""Who issues the mesh's certificates; secrets are named, never held."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings import forms
from fsm_stack.settings.model import DataKey, DnsName, Model
from fsm_stack.settings.values import Port


class SecretKeyReference(Model):
    """One key of a Secret in the control plane's namespace."""

    name: DnsName = Field(description="The Secret's name.")
    key: DataKey = Field(description="The key in its data.")


class Vault(Model):
    """HashiCorp Vault as the issuer."""

    host: Annotated[str, StringConstraints(pattern=forms.HOST, max_length=253)] = Field(
        description="Vault's host name."
    )
    port: Port = Field(8200, description="Vault's port.")
    protocol: Literal["http", "https"] = Field("https", description="How Vault is reached.")
    role: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        "flomesh", description="Vault's role for the mesh."
    )
    token_secret: SecretKeyReference = Field(
        description="Where Vault's token is; the token itself is never a setting."
    )


class CertManager(Model):
    """cert-manager as the issuer."""

    issuer_name: DnsName = Field("fsm-ca", description="The issuer's name.")
    issuer_kind: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]+$")] = Field(
        "Issuer", description="The issuer's kind: Issuer, ClusterIssuer or an external one."
    )
    issuer_group: DnsName = Field("cert-manager.io", description="The issuer's API group.")


class CertificateProvider(Model):
    """The issuer: FSM's own (tresor), Vault or cert-manager."""

    kind: Literal["tresor", "vault", "cert-manager"] = Field("tresor", description="The issuer.")
    vault: Vault | None = Field(None, description="Required when kind is vault.")
    cert_manager: CertManager = Field(
        default_factory=CertManager.model_construct, description="Used when kind is cert-manager."
    )
    ca_bundle_secret_name: DnsName = Field(
        "fsm-ca-bundle", description="The Secret in which the control plane keeps its CA."
    )
