"""What differs between the three injectors beyond names, and how each says no.

Source: pkg/injector, pkg/constants, pkg/configurator and the sidecar drivers of flomesh-io/fsm
f1b55bd8, flomesh-io/osm-edge f0c7a18c and openservicemesh/osm 7bec5b6b.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.systems import FSM, OSM, OSM_EDGE

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding
    from fsm_stack.systems import System


class Refusal(Exception):  # noqa: N818  # it is the answer that the API server gets, not a defect
    """The admission request is refused, with the message that the API server shows.

    Attributes:
        message: the injector's own text where it has one.
        rule_id: the finding that explains it.
        path: the place in the pod or namespace that causes it.
        value: the offending value.
        secret_left: the injector has already made the bootstrap Secret, and leaves it behind.
        steps: what was decided before, for people.
    """

    def __init__(
        self,
        message: str,
        *,
        rule_id: str,
        path: str = "",
        value: str | None = None,
        secret_left: bool = False,
    ) -> None:
        self.message = message
        self.rule_id = rule_id
        self.path = path
        self.value = value
        self.secret_left = secret_left
        self.steps: tuple[str, ...] = ()
        super().__init__(message)

    def as_finding(self) -> Finding:
        """The refusal as a finding of the catalogue."""
        from fsm_stack.findings.finding import finding  # noqa: PLC0415  # only a refusal needs it

        return finding(self.rule_id, self.message, path=self.path, value=self.value)


PIPY_MOUNT: Final = "/etc/pipy"
ENVOY_MOUNT: Final = "/etc/envoy"


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectorProfile:
    """One injector's own ways.

    Attributes:
        environment: prefix of the injector's environment variables.
        bootstrap: prefix of the bootstrap volume (``-volume``) and Secret (``-<uuid>``).
        repository: the folder of the sidecars' configurations in the Pipy repository.
        refused_value: how the message about a bad injection value begins.
        service_account: what an empty ``serviceAccountName`` counts as in the proxy's name.
        windows_user: the sidecar's user on Windows; None: Windows is treated as Linux.
        image_field: the MeshConfig field of the sidecar's image, as messages name it.
        windows_image_field: the same on Windows.
        windows_image_key: the MeshConfig's key, where it differs from the message's.
        probes: ``header``: a header carries the original port; ``path``: the path does.
        sidecar_options: annotations choose the image, the hold and the graceful exit.
        own_resources: the MeshConfig sets resources of the init and health-check containers.
        init_image_in_mesh: the MeshConfig may name the init image.
        dns: how ``sidecar.localDNSProxy`` changes a pod's DNS.
        name_label: the namespace label that the webhook compares with the control plane's name.
    """

    environment: str
    bootstrap: str
    repository: str
    refused_value: str
    service_account: str
    windows_user: str | None
    image_field: str
    windows_image_field: str
    windows_image_key: str
    probes: Literal["header", "path"]
    sidecar_options: bool
    own_resources: bool
    init_image_in_mesh: bool
    dns: Literal["controller", "local", "none"]
    name_label: str

    @property
    def bootstrap_volume(self) -> str:
        """The volume that marks a pod as injected."""
        return f"{self.bootstrap}-volume"


_PROFILES: Final = {
    FSM.name: InjectorProfile(
        environment="FSM",
        bootstrap="sidecar-bootstrap-config",
        repository="fsm-sidecar",
        refused_value="invalid",
        service_account="default",
        windows_user=None,
        image_field="sidecarImage",
        windows_image_field="",
        windows_image_key="",
        probes="header",
        sidecar_options=True,
        own_resources=True,
        init_image_in_mesh=False,
        dns="controller",
        name_label="name",
    ),
    OSM_EDGE.name: InjectorProfile(
        environment="OSM",
        bootstrap="sidecar-bootstrap-config",
        repository="osm-edge-sidecar",
        refused_value="Invalid",
        service_account="",
        windows_user="SidecarUser",
        image_field="sidecarImage",
        windows_image_field="sidecarWindowsImage",
        # Upstream's spelling, in the MeshConfig itself with a capital S.
        windows_image_key="SidecarImageWindowsImage",
        probes="header",
        sidecar_options=False,
        own_resources=False,
        init_image_in_mesh=True,
        dns="local",
        name_label="name",
    ),
    OSM.name: InjectorProfile(
        environment="OSM",
        bootstrap="envoy-bootstrap-config",
        repository="",
        refused_value="Invalid",
        service_account="",
        windows_user="EnvoyUser",
        image_field="envoyImage",
        windows_image_field="envoyWindowsImage",
        windows_image_key="envoyWindowsImage",
        probes="path",
        sidecar_options=False,
        own_resources=False,
        init_image_in_mesh=True,
        dns="none",
        name_label="kubernetes.io/metadata.name",
    ),
}


def injector_profile(system: System) -> InjectorProfile:
    """The injector of a system."""
    return _PROFILES[system.name]
