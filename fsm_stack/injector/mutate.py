"""A pod as it comes out of the injector.

Each step is a function, in the injector's order, so that the refusal that wins is the injector's.
The given pod is never changed; what is not touched is shared with it. Source: pkg/injector,
patch.go, of FSM, osm-edge and OSM, and the sidecar drivers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.annotations import interception, keys_of, yes_or_no
from fsm_stack.injector.containers import (
    healthcheck_container,
    held,
    init_container,
    sidecar,
)
from fsm_stack.injector.go_values import equal_fold, lower
from fsm_stack.injector.pod import Mutation, objects, scalar, texts, wrong_type
from fsm_stack.injector.probes import NOTHING, rewrite_probes
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.generate import DNS_ADDRESS
from fsm_stack.well_known import PROMETHEUS_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Pod
    from fsm_stack.yaml import Json


METRICS_ANNOTATIONS: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(PROMETHEUS_PORT),
    "prometheus.io/path": "/stats/prometheus",
}


def label_only(
    manifest: Mapping[str, Any], metadata: Json, mesh: MeshView, proxy_id: str
) -> Mutation:
    """FSM in NodeLevel mode, and virtual machines: the label and nothing else."""
    labelled = _labelled(metadata, mesh, proxy_id)
    return Mutation(top=manifest, metadata=labelled, spec=None, probes=NOTHING)


def mutate(
    pod: Pod,
    *,
    mesh: MeshView,
    namespace: NamespaceView,
    proxy_id: str,
    dry_run: bool = False,
    secrets: Mapping[str, bool] | None = None,
    service_account: str = "",
) -> Mutation:
    """The mutation of a pod whose injection is decided.

    Args:
        pod: the pod of the request.
        mesh: whose injector.
        namespace: of the request; the pod's own ``metadata.namespace`` counts for DNS only.
        proxy_id: the id that the injector would draw.
        dry_run: no Secret is made and none is looked up.
        secrets: the bootstrap Secrets of the namespace, and whether each can be read; None: the
            one that is needed exists.
        service_account: what Kubernetes has filled in where the pod names none.

    Raises:
        Refusal: where the injector refuses the pod, or panics.
    """
    if mesh.interception_mode == mesh.system.init_excluded_mode:
        return label_only(pod.manifest, pod.metadata, mesh, proxy_id)
    profile = mesh.profile
    windows = profile.windows_user is not None and _on_windows(pod.spec)
    early = profile.probes == "header"  # OSM asks for images and metrics after the Secret is made
    if early:
        _check_images(mesh, windows=windows)
        metrics = _metrics(namespace, mesh, secret_left=False)
    spec = dict(pod.spec)
    given = spec.get("containers")
    containers, probes = rewrite_probes(
        objects(given, "PodSpec.spec.containers", "Container"),
        mesh.system,
        by_path=profile.probes == "path",
    )
    volumes = objects(spec.get("volumes"), "PodSpec.spec.volumes", "Volume")
    init_containers = spec.get("initContainers")
    secret = f"{profile.bootstrap}-{proxy_id}"
    names = [volume.get("name") for volume in volumes]
    injected = profile.bootstrap_volume in names
    if injected:
        old = names.index(profile.bootstrap_volume)
        _check_old_secret(volumes[old], mesh, dry_run=dry_run, secrets=secrets)
    if not early:
        metrics = _metrics(namespace, mesh, secret_left=not dry_run)
    mutation = Mutation(
        top=pod.manifest,
        metadata=_labelled(pod.metadata, mesh, proxy_id),
        spec=spec,
        containers=containers if given is not None else None,
        init_containers=init_containers,
        probes=probes,
        secret=None if dry_run else secret,
    )
    if metrics:
        mutation.metadata["annotations"] = {**pod.annotations, **METRICS_ANNOTATIONS}
    if injected:
        mutation.volumes = list(volumes)
        mutation.volumes[old] = _volume(mesh, secret)
        mutation.reinjected = True
        return mutation
    mutation.volumes = [*volumes, _volume(mesh, secret)]
    if not early:
        _check_images(mesh, windows=windows, secret_left=not dry_run)
    if not windows and mesh.system.intercepts(mesh.interception_mode):
        _intercept(mutation, pod, mesh)
    helper = (healthcheck_container(mesh),) if probes.helper else ()
    proxy = sidecar(
        pod,
        mesh,
        namespace,
        probes,
        windows=windows,
        proxy_id=proxy_id,
        service_account=service_account,
    )
    _configure_dns(spec, pod, mesh, namespace)
    if held(pod, mesh, namespace):
        mutation.first, mutation.last = proxy, helper
    else:
        mutation.last = (*helper, proxy)
    return mutation


def _labelled(metadata: Json, mesh: MeshView, proxy_id: str) -> Json:
    labels = texts(metadata.get("labels"), "ObjectMeta.metadata.labels")
    return {**metadata, "labels": {**labels, mesh.system.proxy_label: proxy_id}}


def _on_windows(spec: Json) -> bool:
    selector = texts(spec.get("nodeSelector"), "PodSpec.spec.nodeSelector")
    return equal_fold(selector.get("kubernetes.io/os", ""), "windows")


def _check_images(mesh: MeshView, *, windows: bool, secret_left: bool = False) -> None:
    profile = mesh.profile
    missing = None
    if windows:
        if not mesh.sidecar_windows_image:
            missing = profile.windows_image_field
    elif not mesh.sidecar_image:
        missing = profile.image_field
    elif not mesh.init_image:
        missing = "initContainerImage"
    if missing is not None:
        raise Refusal(
            f"MeshConfig sidecar.{missing} not set",
            rule_id="image-not-set",
            path=f"sidecar.{missing}",
            secret_left=secret_left,
        )


def _metrics(namespace: NamespaceView, mesh: MeshView, *, secret_left: bool) -> bool:
    key = keys_of(mesh.system).metrics
    value = namespace.annotations.get(key, "")
    if not value:
        return False
    value = lower(value)
    answer = yes_or_no(value)
    if answer is None:
        raise Refusal(
            f'Invalid value specified for annotation "{key}": {value}',
            rule_id="injection-value",
            path=f"namespace {namespace.name} metadata.annotations.{key}",
            value=value,
            secret_left=secret_left,
        )
    return answer


def _volume(mesh: MeshView, secret: str) -> Json:
    return {"name": mesh.profile.bootstrap_volume, "secret": {"secretName": secret}}


def _check_old_secret(
    volume: Json, mesh: MeshView, *, dry_run: bool, secrets: Mapping[str, bool] | None
) -> None:
    source = volume.get("secret")
    if source is None:
        raise Refusal(
            f"the injector panics: volume {mesh.profile.bootstrap_volume} is not a Secret",
            rule_id="bootstrap-volume",
            path="spec.volumes",
        )
    if type(source) is not dict:
        raise wrong_type(source, "Volume.spec.volumes.secret", "v1.SecretVolumeSource")
    if dry_run or secrets is None:
        return
    prefix = f"{mesh.profile.bootstrap}-"
    field = "SecretVolumeSource.spec.volumes.secret.secretName"
    name = prefix + scalar(source.get("secretName"), str, field).removeprefix(prefix)
    if name not in secrets:
        raise Refusal(
            f'secrets "{name}" not found', rule_id="bootstrap-volume", path="spec.volumes"
        )
    if not secrets[name]:
        raise Refusal(
            f"error unmarshalling {mesh.sidecar_kind} bootstrap config: Secret {name} holds none",
            rule_id="bootstrap-volume",
            path="spec.volumes",
        )


def _intercept(mutation: Mutation, pod: Pod, mesh: MeshView) -> None:
    """Add the init container, after the user's own."""
    objects(mutation.init_containers, "PodSpec.spec.initContainers", "Container")
    try:
        mutation.interception = interception(pod.annotations, mesh)
    except Refusal as refusal:
        refusal.secret_left = mutation.secret is not None
        raise
    mutation.init = init_container(mesh, mutation.interception.script)


def _configure_dns(spec: Json, pod: Pod, mesh: MeshView, namespace: NamespaceView) -> None:
    if not mesh.dns_proxy or mesh.sidecar_kind != "pipy":
        return
    address, domain = mesh.controller_ip, mesh.trust_domain
    fsm = mesh.profile.dns == "controller"
    if address is not None:
        aliases = objects(spec.get("hostAliases"), "PodSpec.spec.hostAliases", "HostAlias")
        names = [f"{mesh.system.controller_name}.{mesh.namespace}"]
        spec["hostAliases"] = [*aliases, {"ip": address, "hostnames": names}]
    elif fsm:
        return
    searches = [f"svc.{domain}", domain]
    dots = "5"
    if fsm:
        place = pod.metadata.get("namespace") or namespace.name
        searches = [*([f"{place}.svc.{domain}"] if place else ()), *searches]
        dots = str(domain.count(".") + 4)
    spec["dnsPolicy"] = "None"
    spec["dnsConfig"] = {
        "nameservers": [address if fsm else DNS_ADDRESS],
        "searches": searches,
        "options": [{"name": "ndots", "value": dots}],
    }
