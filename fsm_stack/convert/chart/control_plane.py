"""Values of FSM's chart about the control plane: components, names, images, certificates.

Source: flomesh-io/fsm charts/fsm/values.yaml and values.schema.json at 1.6.0. The chart at 1.5.1
differs in image tags only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic.alias_generators import to_camel

from fsm_stack.manifests.pods import default_affinity
from fsm_stack.manifests.programs.beside import fixed_resources
from fsm_stack.settings.models.components import FSM_IMAGES, PIPY_VERSIONS

# How a value becomes a setting:
#   same       as it is
#   tag        text; a number is what YAML made of an unquoted version
#   optional   an empty text means "not set"
#   ports, texts   a list; Helm's --set makes other forms of it
#   program    resources of a container for which the chart reads cpu and memory only
#   resources  resources of a container
#   where_on   as it is, where the section's `enable` is true; else the chart leaves it out
#   where_on_optional   both of these
How = Literal[
    "same",
    "tag",
    "optional",
    "ports",
    "texts",
    "program",
    "resources",
    "where_on",
    "where_on_optional",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of the chart that becomes a setting.

    Attributes:
        default: the chart's default.
        target: the setting's path in a stack file.
        how: how it becomes the setting.
    """

    default: Any
    target: str
    how: How = "same"


def group(
    source: str,
    target: str,
    how: How = "same",
    /,
    **defaults: Any,  # values of YAML
) -> dict[str, Value]:
    """Values side by side, by path; a pair names the setting where it has another name."""
    values = {}
    for key, default in defaults.items():
        name, value = default if isinstance(default, tuple) else (key, default)
        values[f"{source}.{key}"] = Value(default=value, target=f"{target}.{name}", how=how)
    return values


_INIT: Final = fixed_resources("500m", "512M", "200m", "128M")


def _component(source: str, target: str, app: str, resource: dict[str, Any]) -> dict[str, Value]:
    return {
        **group(
            source,
            target,
            replicaCount=("replicas", 1),
            podLabels={},
            nodeSelector={},
            tolerations=[],
            affinity=default_affinity(app),
        ),
        **group(source, target, "program", resource=("resources", resource)),
    }


def _scaled(source: str, target: str) -> dict[str, Value]:
    scaling = f"{target}.autoscaling"
    return {
        **group(source, target, enablePodDisruptionBudget=("podDisruptionBudget", False)),
        **group(
            f"{source}.autoScale",
            scaling,
            enable=("enabled", False),
            minReplicas=1,
            maxReplicas=5,
        ),
        f"{source}.autoScale.cpu.targetAverageUtilization": Value(
            default=80, target=f"{scaling}.cpuUtilization"
        ),
        f"{source}.autoScale.memory.targetAverageUtilization": Value(
            default=80, target=f"{scaling}.memoryUtilization"
        ),
        **group(source, target, "resources", initResources=_INIT),
    }


_COMPONENTS: Final = {
    **_component(
        "fsm.fsmBootstrap",
        "components.bootstrap",
        "fsm-bootstrap",
        fixed_resources("0.5", "512M", "0.3", "128M"),
    ),
    **_component(
        "fsm.fsmController",
        "components.controller",
        "fsm-controller",
        fixed_resources("2", "2G", "0.5", "256M"),
    ),
    **_scaled("fsm.fsmController", "components.controller"),
    **group(
        "fsm.fsmController",
        "components.controller",
        "program",
        repoResources=fixed_resources("2", "2G", "0.5", "256M"),
    ),
    **_component(
        "fsm.injector",
        "components.injector",
        "fsm-injector",
        fixed_resources("1", "512M", "0.5", "128M"),
    ),
    **_scaled("fsm.injector", "components.injector"),
    **group("fsm.injector", "components.injector", webhookTimeoutSeconds=20),
    **group("fsm.repoServer", "components.controller", standalone=("standaloneRepoServer", False)),
}

_MESH: Final = {
    **group(
        "fsm",
        "mesh",
        meshName=("name", "fsm"),
        trustDomain="cluster.local",
        enforceSingleMesh=True,
        enableReconciler=False,
        enableMultiClusters=False,
        webhookConfigNamePrefix=("webhookNamePrefix", "fsm-webhook"),
    ),
    **group("fsm", "mesh", "optional", fsmNamespace=("namespace", "")),
    **group("smi", "mesh", validateTrafficTarget=True),
    **group(
        "fsm.validatorWebhook",
        "mesh",
        "optional",
        webhookConfigurationName=("validatorWebhookName", ""),
    ),
    **group(
        "clusterSet",
        "clusterSet",
        isManaged=False,
        region="default",
        zone="default",
        group="default",
        name="local",
    ),
    **group("clusterSet", "clusterSet", "optional", controlPlaneUID=""),
}

_CERTIFICATES: Final = {
    **group("fsm", "certificateProvider", caBundleSecretName="fsm-ca-bundle"),
    **group("fsm.certificateProvider", "certificateProvider", kind="tresor"),
    **group(
        "fsm.certificateProvider",
        "certificate",
        serviceCertValidityDuration="24h",
        certKeyBitSize=2048,
    ),
    **group(
        "fsm.certmanager",
        "certificateProvider.certManager",
        issuerName="fsm-ca",
        issuerKind="Issuer",
        issuerGroup="cert-manager.io",
    ),
    **group(
        "fsm.vault",
        "certificateProvider.vault",
        port=8200,
        protocol="http",
        role="flomesh",
    ),
    **group("fsm.vault", "certificateProvider.vault", "optional", host=""),
    **group(
        "fsm.vault.secret", "certificateProvider.vault.tokenSecret", "optional", name="", key=""
    ),
}


def _images(fsm_version: str) -> dict[str, Value]:
    pipy = PIPY_VERSIONS[fsm_version]
    values = group("fsm.image", "images", pullPolicy="IfNotPresent", registry="flomesh") | group(
        "fsm.image", "images", "tag", tag=fsm_version
    )
    for source, target, name in (
        ("fsm.sidecar", "images.pipy", "pipy"),
        ("fsm.repoServer", "images.pipyRepo", "pipy-repo"),
    ):
        values |= group(f"{source}.image", target, name=name)
        values |= group(f"{source}.image", target, "tag", tag=pipy)
    for field, (key, name) in FSM_IMAGES.items():
        target = f"images.{to_camel(field)}"
        values[f"fsm.image.name.{key}"] = Value(default=name, target=f"{target}.name")
        values[f"fsm.image.digest.{key}"] = Value(
            default="", target=f"{target}.digest", how="optional"
        )
    return values | group("fsm", "images", imagePullSecrets=("pullSecrets", []))


def control_plane_values(fsm_version: str) -> dict[str, Value]:
    """The values by path; the tags' defaults are those of the release."""
    return {**_COMPONENTS, **_MESH, **_CERTIFICATES, **_images(fsm_version)}
