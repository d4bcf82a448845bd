"""The egress gateway: its Deployment and Service, and the release's script that it runs.

Source: flomesh-io/fsm charts/fsm/templates egress-gateway-*.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.manifest import Manifest, Part, Wave, common_labels
from fsm_stack.manifests.pods import (
    image,
    port,
    pull_secrets,
    resources,
)
from fsm_stack.manifests.programs.beside import gateway_metadata, other_program, own_place
from fsm_stack.manifests.release import egress_script_file, release_text

if TYPE_CHECKING:
    from fsm_stack.manifests.release import ReleaseAsset
    from fsm_stack.settings.models.stack import StackSettings

_EGRESS: Final = "fsm-egress-gateway"
_EGRESS_SCRIPT: Final = "fsm-egress-gateway-pjs"
_SCRIPT_KEY: Final = "egress-gateway.js"
_PORT_VALUE: Final = "{{ .Values.fsm.egressGateway.port }}"
_ADMIN_PORT_VALUE: Final = "{{ .Values.fsm.egressGateway.adminPort }}"


def _egress_script(settings: StackSettings, asset: ReleaseAsset | None) -> str:
    """The release's script, with the stack's ports in the places that the chart fills.

    Raises:
        FindingsError: ``assets-missing``.
        InputError: the script has a place that is not known.
    """
    gateway = settings.egress_gateway
    file = egress_script_file(gateway.mode)
    script = release_text(settings, asset, file)
    script = script.replace(_PORT_VALUE, str(gateway.port))
    script = script.replace(_ADMIN_PORT_VALUE, str(gateway.admin_port))
    if "{{" in script:
        at = script.index("{{")
        raise InputError(
            f"{file}: expected no other value of the chart, got {script[at : at + 60]}"
        )
    return script


def _egress_deployment(settings: StackSettings) -> dict[str, Any]:
    gateway, program = settings.egress_gateway, settings.components.egress_gateway
    container = {
        "name": "pipy",
        **image(settings, "pipy_repo"),
        "resources": resources(program.resources),
        "volumeMounts": [
            {
                "name": _EGRESS_SCRIPT,
                "mountPath": f"/repo/{_SCRIPT_KEY}",
                "subPath": _SCRIPT_KEY,
                "readOnly": True,
            }
        ],
        "ports": [
            port("egress-nat-port", gateway.port),
            port("pipy-admin-port", gateway.admin_port),
        ],
        "command": ["pipy"],
        "args": [
            f"/repo/{_SCRIPT_KEY}",
            f"--log-level={gateway.log_level}",
            f"--admin-port={gateway.admin_port}",
        ],
        "env": own_place(settings),
    }
    secrets = pull_secrets(settings)
    pod = {
        "serviceAccountName": settings.mesh.release_name,
        "containers": [container],
        "volumes": [{"name": _EGRESS_SCRIPT, "configMap": {"name": _EGRESS_SCRIPT}}],
        **({"imagePullSecrets": secrets} if secrets else {}),
    }
    made = other_program(
        settings,
        gateway_metadata(settings, program.name, _EGRESS),
        _EGRESS,
        pod,
        replicas=gateway.replicas,
        strategy={"type": "RollingUpdate"},
    )
    made["spec"]["template"]["metadata"] = {
        "labels": {**program.pod_labels, **common_labels(settings), "app": _EGRESS},
        "annotations": {
            **program.pod_annotations,
            "prometheus.io/path": "/stats/prometheus",
            "prometheus.io/port": "15010",
            "prometheus.io/scrape": "true",
        },
    }
    return made


def egress_gateway(settings: StackSettings, asset: ReleaseAsset | None) -> tuple[Manifest, ...]:
    """The egress gateway, where the stack has it.

    Raises:
        FindingsError: ``assets-missing``.
        InputError: the release's script cannot be used.
    """
    gateway = settings.egress_gateway
    if not gateway.enabled:
        return ()
    about = gateway_metadata(settings, _EGRESS, _EGRESS)
    about["annotations"] = {settings.profile.annotation("egress-gateway-mode"): gateway.mode}
    exposed = {
        "name": "egress-nat-port",
        "port": gateway.port,
        "targetPort": gateway.port,
        "protocol": "TCP",
        "appProtocol": "tcp",
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {"ports": [exposed], "selector": {"app": _EGRESS}},
    }
    foundation = [service]
    if settings.release_assets.source == "vendored":
        foundation.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": gateway_metadata(settings, _EGRESS_SCRIPT, _EGRESS),
                "data": {_SCRIPT_KEY: _egress_script(settings, asset)},
            }
        )
    part = Part.CONTROL_PLANE
    return (
        *(Manifest(object=item, part=part, wave=Wave.FOUNDATION) for item in foundation),
        Manifest(object=_egress_deployment(settings), part=part, wave=Wave.CONTROL_PLANE),
    )
