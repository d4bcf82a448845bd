"""Where our objects differ from those of FSM's chart on purpose, and why: the only such list.

A path names a field after both sides are read by meaning: list entries by their ``name``,
arguments by their flag, the preset's JSON by its keys. Our MeshConfig is compared with the one
that bootstrap would make of the chart's preset. The parity test knows no other difference.
"""

from __future__ import annotations

from typing import Final

from tests.parity.difference import ABSENT, ANY, EVERY_PAIR, Difference


def _only_ours(object_: str, reason: str) -> Difference:
    return Difference(object=object_, path="", ours="", charts=ABSENT, reason=reason)


def _only_charts(object_: str, reason: str, pairs: tuple[str, ...] = (EVERY_PAIR,)) -> Difference:
    return Difference(object=object_, path="", ours=ABSENT, charts="", reason=reason, pairs=pairs)


_PREINSTALL: Final = (
    "a hook job that refuses a second mesh; whoever talks to a cluster compares its identity and "
    "looks for other meshes before anything is created"
)
_CLEANUP: Final = (
    "a hook job that deletes what an uninstall leaves over; what is declared here is destroyed "
    "with the stack, and the documentation names what FSM's programs made beside it"
)
_NO_SECRETS: Final = (
    "it holds credentials (the chart commits admin/admin for FLB); no secret is rendered, the "
    "Secret is named in the settings and made by whoever needs it"
)

_OBJECTS: Final = (
    *(
        _only_charts(f"{kind}/fsm-preinstall", _PREINSTALL)
        for kind in ("Job", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    ),
    *(
        _only_charts(f"{kind}/fsm-cleanup", _CLEANUP)
        for kind in ("Job", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    ),
    _only_charts("Secret/*", _NO_SECRETS),
    _only_ours("Namespace/*", "helm --create-namespace and fsm install make it beside the chart"),
    _only_ours(
        "CustomResourceDefinition/meshconfigs.config.flomesh.io",
        "the MeshConfig is declared before bootstrap, which installs the CRD otherwise",
    ),
    _only_ours(
        "MutatingWebhookConfiguration/*",
        "the injector makes it when it starts; declared, it has an owner and a review",
    ),
    _only_ours(
        "ValidatingWebhookConfiguration/*",
        "the controller makes it when it starts; declared, it has an owner and a review",
    ),
    _only_ours(
        "ConfigMap/fsm-redirection",
        "what the stack redirects, so that a cluster can be checked without its file",
    ),
)

_REMOVED_API: Final = "Kubernetes 1.25 and 1.26 removed the chart's version"

_APIS: Final = (
    Difference(
        object="HorizontalPodAutoscaler/*",
        path="apiVersion",
        ours="autoscaling/v2",
        charts="autoscaling/v2beta2",
        reason=_REMOVED_API,
        pairs=("ha",),
    ),
    Difference(
        object="PodDisruptionBudget/*",
        path="apiVersion",
        ours="policy/v1",
        charts="policy/v1beta1",
        reason=_REMOVED_API,
        pairs=("ha",),
    ),
)

_WEBHOOKS: Final = tuple(
    Difference(
        object=f"{kind}WebhookConfiguration/flomesh-*",
        path="webhooks",
        ours=ABSENT,
        charts=r"\[\]",
        reason="the API server drops an empty list, and every apply of it would be a change",
    )
    for kind in ("Mutating", "Validating")
)

_DIGEST: Final = r"(?P<digest>sha256:[0-9a-f]{64})"
_NAME: Final = r"(?P<name>[^@]+)"
_TAG: Final = r"[^@:/]+"


def _image(ours: str, charts: str, reason: str) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            object="Deployment/*", path=path, ours=ours, charts=charts, reason=reason, pairs=()
        )
        for path in ("*.image", "*_IMAGE].value")
    )


_IMAGES: Final = (
    *_image(
        rf"{_NAME}@sha256:[0-9a-f]{{64}}",
        _NAME,
        "the chart drops a digest that stands beside a tag; here the digest wins",
    ),
    *_image(
        rf"{_NAME}:{_TAG}@{_DIGEST}",
        rf"{_NAME}@{_DIGEST}",
        "the tag beside the digest is for readers; runtimes resolve the digest",
    ),
    *_image(
        rf"{_NAME}:{_TAG}",
        rf"{_NAME}[@:]",
        "without a tag the chart writes an image without a version, which no runtime accepts",
    ),
    *(
        Difference(
            object=object_,
            path=path,
            ours=r"\[\]",
            charts=ABSENT,
            reason="a list that the values set to null is an empty one to FSM's programs",
            pairs=(),
        )
        for object_, path in (
            ("ConfigMap/preset-mesh-config", "data.preset-mesh-config.json.*"),
            ("MeshConfig/*", "spec.*"),
        )
    ),
    *(
        Difference(
            object="*",
            path=f"*.{name}",
            ours=rf"(?P<name>.+):{_TAG}",
            charts=r"(?P<name>.+):",
            reason="without a tag the chart names an image without a version",
            pairs=(),
        )
        for name in ("misc.repoServerImage", "sidecar.sidecarImage")
    ),
    Difference(
        object="*",
        path="*.image.tag",
        ours=_TAG,
        charts="",
        reason="an empty tag makes the controller start images without a version",
        pairs=(),
    ),
)

_ARGUMENTS: Final = (
    Difference(
        object="Deployment/*",
        path="*.args[--vault-token]",
        ours=ABSENT,
        charts="",
        reason="no token is an argument, not even an empty one, which is the flag's default",
        pairs=(),
    ),
    *(
        Difference(
            object="ConfigMap/preset-mesh-root-certificate",
            path=f"*.provider.vault.token.secretKeyRef.{part}",
            ours=text,
            charts="",
            reason="the values hold the token itself; here a Secret of a usual name is named",
            pairs=(),
        )
        for part, text in (("name", "fsm-vault-token"), ("key", "token"))
    ),
    Difference(
        object="Deployment/*",
        path="*.args[--vault-role]",
        ours=ANY,
        charts=ABSENT,
        reason="the programs have the flag, and the chart drops its value fsm.vault.role",
        pairs=(),
    ),
)


_PROGRAMS_BESIDE: Final = (
    Difference(
        object="IngressClass/pipy",
        path="metadata.annotations.meta.flomesh.io/ingress-pipy-svc",
        ours=ANY,
        charts="fsm-ingress",
        reason="the chart names a Service that does not exist where the ingress's is renamed",
        pairs=(),
    ),
    Difference(
        object="ConfigMap/fsm-grafana-config",
        path="data.grafana.ini.[server].http_port",
        ours="[0-9]+",
        charts=ABSENT,
        reason="the chart exposes another port and lets Grafana listen on 3000 all the same",
        pairs=(),
    ),
    Difference(
        object="Deployment/fsm-grafana",
        path="*.env[GF_RENDERING_CALLBACK_URL].value",
        ours="http://fsm-grafana:[0-9]+/",
        charts="http://fsm-grafana:3000/",
        reason="the renderer asks Grafana at the port that is set",
        pairs=(),
    ),
    Difference(
        object="ConfigMap/fluentbit-configmap",
        path="data.fluent-bit.conf.[OUTPUT].Shared_Key",
        ours=r"\$\{AZURE_SHARED_KEY\}",
        charts=ANY,
        reason="the chart writes Azure's key into a ConfigMap; here it comes from a Secret",
        pairs=(),
    ),
    Difference(
        object="Deployment/fsm-controller",
        path="*.env[AZURE_SHARED_KEY].*",
        ours=ANY,
        charts=ABSENT,
        reason="Azure's key comes from a Secret, by way of the environment",
        pairs=(),
    ),
    Difference(
        object="DaemonSet/fsm-xnetwork",
        path="*.args[--cni-ipv6-bridge-mac]",
        ours=ANY,
        charts=ANY,
        reason="the chart gives Calico's bridge for IPv6 the address of the one for IPv4",
        pairs=(),
    ),
)


def _mesh(path: str, ours: str | None, charts: str | None, reason: str) -> Difference:
    """A field of the mesh: in the preset, and in the MeshConfig."""
    return Difference(object="*", path=f"*.{path}", ours=ours, charts=charts, reason=reason)


_CANONICAL: Final = (
    "the preset is the whole MeshConfig as the API server keeps it, where the chart leaves fields "
    "to defaults of the CRD"
)
_EMPTY: Final = r"|0|false|\[\]|\{\}"
_MADE_EMPTY: Final = (
    "FSM's types leave it out when it is empty: the declared object is what they write"
)

_MESH: Final = (
    _mesh(
        "clusterSet.uid",
        r"[0-9a-zA-Z-]+",
        r"[0-9a-zA-Z-]+",
        "the chart makes a random one in every render; ours is set, or derived from the stack",
    ),
    *(
        _mesh(path, ANY, ABSENT, _CANONICAL)
        for path in (
            "connector.lb.type",
            "connector.viaGateway.*",
            "pluginChains.*.disable",
            "sidecar.healthcheckResources",
            "sidecar.initResources",
            "sidecar.resources",
            "sidecar.xnetDNSProxy.upstreams[*].port",
            "traffic.inboundExternalAuthorization.*",
            "traffic.serviceAccessNames.*",
            "warmup.aggression",
        )
    ),
    *(
        Difference(
            object=object_,
            path=f"*.{path}",
            ours=ABSENT,
            charts=_EMPTY,
            reason=_MADE_EMPTY,
            pairs=pairs,
        )
        for object_, path, pairs in (
            ("MeshConfig/*", "sidecar.maxDataPlaneConnections", (EVERY_PAIR,)),
            ("MeshConfig/*", "sidecar.localDNSProxy.generateIPv6BasedOnIPv4", (EVERY_PAIR,)),
            ("MeshConfig/*", "sidecar.sidecarTimeout", ()),
            ("*", "sidecar.localDNSProxy.db", ()),
            ("*", "sidecar.xnetDNSProxy.upstreams", ()),
            ("*", "observability.remoteLogging.level", ()),
        )
    ),
    *(
        Difference(
            object="*",
            path=f"*.observability.{path}",
            ours=ABSENT,
            charts="",
            reason="a setting that is not set is left out, where the chart writes an empty text",
            pairs=(),
        )
        for path in (
            "tracing.address",
            "tracing.endpoint",
            "remoteLogging.address",
            "remoteLogging.endpoint",
        )
    ),
    Difference(
        object="*",
        path="*.observability.remoteLogging.authorization",
        ours=ABSENT,
        charts=ANY,
        reason="credentials are in the Secret that secretName names, and in no MeshConfig",
        pairs=(),
    ),
    Difference(
        object="MeshConfig/*",
        path="spec.sidecar.localDNSProxy.searchesWith*",
        ours=ABSENT,
        charts=ANY,
        reason="neither FSM's types nor its CRD know the key",
    ),
    Difference(
        object="ConfigMap/preset-mesh-config",
        path="*.sidecar.localDNSProxy.searchesWith*",
        ours="true",
        charts="false",
        reason="neither FSM's types nor its CRD know the key: its value means nothing",
        pairs=(),
    ),
    Difference(
        object="ConfigMap/preset-mesh-config",
        path="data.preset-mesh-config.sha256",
        ours=r"sha256:[0-9a-f]{64}",
        charts=ABSENT,
        reason="a difference of the document shows in one line; bootstrap does not read it",
    ),
)

_PROGRAMS: Final = (
    Difference(
        object="Deployment/fsm-bootstrap",
        path="*.containers[fsm-bootstrap].startupProbe.*",
        ours=ANY,
        charts=ABSENT,
        reason="bootstrap applies 64 CRDs before it answers; on a slow machine the chart's "
        "liveness probe restarts it half-way",
    ),
    Difference(
        object="Service/*",
        path="spec.ports[*].targetPort",
        ours="[0-9]+",
        charts=ABSENT,
        reason="the API server fills in the port itself; a target that is not declared is not "
        "restored when somebody changes it",
    ),
)

DIFFERENCES: Final = (
    *_OBJECTS,
    *_PROGRAMS,
    *_PROGRAMS_BESIDE,
    *_APIS,
    *_WEBHOOKS,
    *_IMAGES,
    *_ARGUMENTS,
    *_MESH,
)
