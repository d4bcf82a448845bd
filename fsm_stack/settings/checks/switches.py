"""Checks of settings that need, order or cancel each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.units import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Found = Iterator[tuple[Path, Finding]]

_TLS_ORDER: Final = ("TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3")

# Images that FSM's programs start by themselves, from MeshConfig's section image, which has one
# registry and one tag for all of them. Source: flomesh-io/fsm pkg/apis/config/v1alpha3, ImageSpec.
_BY_MESH_CONFIG: Final = (
    "connector",
    "crds",
    "gateway",
    "ingress",
    "preinstall",
    "xnetmgmt",
)


def without_address(settings: StackSettings, _today: date) -> Found:
    """A switch that sends something to a host that nobody named."""
    authorization = settings.traffic.inbound_external_authorization
    logging = settings.observability.remote_logging
    switches: tuple[tuple[bool, Path, tuple[str, ...], Any], ...] = (
        (
            authorization.enable,
            ("traffic", "inboundExternalAuthorization"),
            ("address", "port"),
            authorization,
        ),
        (logging.enable, ("observability", "remoteLogging"), ("address",), logging),
    )
    for on, path, keys, section in switches:
        missing = [key for key in keys if getattr(section, key) is None]
        if on and missing:
            message = f"enable is true, and no {' and no '.join(missing)} is set"
            yield at((*path, "enable"), "no-destination", message, value="true")


def tls_versions(settings: StackSettings, _today: date) -> Found:
    """An oldest TLS version above the newest: no handshake succeeds."""
    low = settings.sidecar.tls_min_protocol_version
    high = settings.sidecar.tls_max_protocol_version
    if low not in _TLS_ORDER or high not in _TLS_ORDER:
        return
    if _TLS_ORDER.index(low) > _TLS_ORDER.index(high):
        message = f"expected at most tlsMaxProtocolVersion {high}, got {low}"
        yield at(("sidecar", "tlsMinProtocolVersion"), "invalid-value", message, value=low)


def certificate_life(settings: StackSettings, _today: date) -> Found:
    """Certificates that have expired when they are issued."""
    certificate = settings.certificate
    lives: list[tuple[Path, str]] = [
        (
            ("certificate", "serviceCertValidityDuration"),
            certificate.service_cert_validity_duration,
        )
    ]
    gateway = certificate.ingress_gateway
    if gateway is not None:
        path: Path = ("certificate", "ingressGateway", "validityDuration")
        lives.append((path, gateway.validity_duration))
    for path, life in lives:
        if nanoseconds(life) == 0:
            message = f"expected a life above zero, got {life}: every certificate has expired"
            yield at(path, "invalid-value", message, value=life)


def image_parts(settings: StackSettings, _today: date) -> Found:
    """A registry or tag of one image, where FSM has one for all."""
    for key in _BY_MESH_CONFIG if settings.profile.declares_control_plane else ():
        image = getattr(settings.images, key)
        for part in ("registry", "tag"):
            value = getattr(image, part)
            if value is not None:
                message = (
                    f"nothing reads a {part} of this image: FSM starts it with the mesh's "
                    f"images.{part}, under its own name and digest"
                )
                fix = f"Set images.{part}, or a digest here."
                yield at(("images", key, part), "no-effect", message, value=value, fix=fix)


CHECKS: Final = (without_address, tls_versions, certificate_life, image_parts)
