"""The bundle as a whole: which objects, in which order, of what."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import Part, Wave
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from tests.manifests import laws
from tests.manifests.stacks import EVERYTHING, FULL, asset_for, bundle_of, named, settings_of
from tests.property.strategies import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

VERIFYING = {"verify": {"schedule": "*/15 * * * *", "image": "verify:1", "metricsPort": 9090}}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    else:
        yield path, value


def test_the_objects_of_the_default_stack() -> None:
    """Kind, namespace and name, in the order of creation."""
    assert [(item.wave.name, *item.key) for item in bundle_of({})] == [
        ("NAMESPACE", "Namespace", "", "fsm-system"),
        ("CRD", "CustomResourceDefinition", "", "meshconfigs.config.flomesh.io"),
        ("MESH_CONFIG", "MeshConfig", "fsm-system", "fsm-mesh-config"),
        ("FOUNDATION", "ServiceAccount", "fsm-system", "fsm"),
        ("FOUNDATION", "ClusterRole", "", "fsm"),
        ("FOUNDATION", "ClusterRole", "", "fsm-leader-election-role"),
        ("FOUNDATION", "ClusterRoleBinding", "", "fsm"),
        ("FOUNDATION", "ClusterRoleBinding", "", "fsm-leader-election-rolebinding"),
        ("FOUNDATION", "Role", "fsm-system", "fsm-mesh-config-role"),
        ("FOUNDATION", "ConfigMap", "fsm-system", "fsm-init-repo-scripts"),
        ("FOUNDATION", "ConfigMap", "fsm-system", "fsm-redirection"),
        ("FOUNDATION", "ConfigMap", "fsm-system", "preset-mesh-config"),
        ("FOUNDATION", "Service", "fsm-system", "fsm-bootstrap"),
        ("FOUNDATION", "Service", "fsm-system", "fsm-controller"),
        ("FOUNDATION", "Service", "fsm-system", "fsm-injector"),
        ("FOUNDATION", "Service", "fsm-system", "fsm-validator"),
        ("WEBHOOK", "MutatingWebhookConfiguration", "", "flomesh-mutating-webhook-configuration"),
        ("WEBHOOK", "MutatingWebhookConfiguration", "", "fsm-webhook-fsm"),
        (
            "WEBHOOK",
            "ValidatingWebhookConfiguration",
            "",
            "flomesh-validating-webhook-configuration",
        ),
        ("WEBHOOK", "ValidatingWebhookConfiguration", "", "fsm-validator-mesh-fsm"),
        ("CONTROL_PLANE", "Deployment", "fsm-system", "fsm-bootstrap"),
        ("CONTROL_PLANE", "Deployment", "fsm-system", "fsm-controller"),
        ("CONTROL_PLANE", "Deployment", "fsm-system", "fsm-injector"),
    ]


def test_what_settings_add() -> None:
    names = {(item.kind, item.name) for item in bundle_of(FULL)}
    assert names - {(item.kind, item.name) for item in bundle_of({})} == {
        ("HorizontalPodAutoscaler", "fsm-controller-hpa"),
        ("HorizontalPodAutoscaler", "fsm-injector-hpa"),
        ("PodDisruptionBudget", "fsm-controller-pdb"),
        ("PodDisruptionBudget", "fsm-injector-pdb"),
        ("Namespace", "shop"),
        ("Namespace", "bank"),
        ("Namespace", "quiet"),
        *(
            (kind, f"fsm-guard-{what}")
            for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
            for what in ("mesh-config", "mesh-config-warnings", "pods", "namespaces", "bypasses")
        ),
    }


def test_what_the_programs_beside_the_control_plane_add() -> None:
    """Nothing of it is there unless a stack asks; FLB and the load balancer are switches only."""
    added = {(item.kind, item.name) for item in bundle_of(EVERYTHING)}
    assert added - {(item.kind, item.name) for item in bundle_of(FULL)} == {
        ("ConfigMap", "preset-mesh-root-certificate"),
        ("IngressClass", "pipy"),
        ("Service", "fsm-ingress"),
        ("Deployment", "fsm-ingress"),
        ("ConfigMap", "fsm-egress-gateway-pjs"),
        ("Service", "fsm-egress-gateway"),
        ("Deployment", "fsm-egress-gateway"),
        ("DaemonSet", "fsm-xnetwork"),
        ("ServiceAccount", "fsm-prometheus"),
        ("ClusterRole", "fsm-prometheus"),
        ("ClusterRoleBinding", "fsm-prometheus"),
        ("ConfigMap", "fsm-prometheus-server-conf"),
        ("Service", "fsm-prometheus"),
        ("Deployment", "fsm-prometheus"),
        ("ServiceAccount", "fsm-grafana"),
        ("ClusterRole", "fsm-grafana"),
        ("ClusterRoleBinding", "fsm-grafana"),
        ("ConfigMap", "fsm-grafana-config"),
        ("ConfigMap", "fsm-grafana-datasources"),
        ("ConfigMap", "fsm-grafana-dashboards"),
        ("ConfigMap", "fsm-grafana-dashboard-definition-dataplane"),
        ("ConfigMap", "fsm-grafana-dashboard-definition-controlplane"),
        ("Service", "fsm-grafana"),
        ("Deployment", "fsm-grafana"),
        ("ServiceAccount", "jaeger"),
        ("ClusterRole", "fsm-jaeger"),
        ("ClusterRoleBinding", "fsm-jaeger"),
        ("Service", "jaeger"),
        ("Deployment", "fsm-jaeger"),
        ("ConfigMap", "fluentbit-configmap"),
    }


@pytest.mark.parametrize("data", [{}, FULL, EVERYTHING, {"system": "osm"}, {"system": "osm-edge"}])
def test_the_laws_of_a_bundle(data: dict[str, Any]) -> None:
    """Unique, ordered, JSON types only, Kubernetes' fields, nothing that the API server writes."""
    assert [*laws.broken(bundle_of(data))] == []


@pytest.mark.parametrize("data", [{}, FULL, EVERYTHING, VERIFYING])
def test_what_an_object_names_is_in_the_bundle(data: dict[str, Any]) -> None:
    """A Service finds the pods that it is for, a pod its account, its files and their keys."""
    assert [*laws.lost(bundle_of(data))] == []


def test_a_lost_name_and_an_unknown_field_are_noticed() -> None:
    manifests = bundle_of(EVERYTHING)
    broken = json.loads(json.dumps({item.slug: item.object for item in manifests}))
    pod = broken["deployment-fsm-grafana"]["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "grafana"
    pod["containers"][0]["volumeMounts"][0]["subPath"] = "grafana.conf"
    pod["volumes"].pop()
    broken["service-fsm-grafana"]["spec"]["ports"][0]["targetPort"] = 3001
    broken["service-jaeger"]["spec"]["selector"] = {"app": "jaeger"}
    broken["clusterrolebinding-fsm-jaeger"]["roleRef"]["name"] = "jaeger"
    broken["clusterrolebinding-fsm-jaeger"]["subjects"][0]["name"] = "fsm-jaeger"
    webhook = broken["mutatingwebhookconfiguration-fsm-webhook-fsm"]["webhooks"][0]
    webhook["clientConfig"]["service"]["port"] = 9443
    changed = tuple(replace(item, object=broken[item.slug]) for item in manifests)
    assert sorted(laws.lost(changed)) == [
        "clusterrolebinding-fsm-jaeger: ClusterRole jaeger",
        "clusterrolebinding-fsm-jaeger: ServiceAccount fsm-jaeger",
        "deployment-fsm-grafana: ServiceAccount grafana",
        "deployment-fsm-grafana: key grafana.conf of fsm-grafana-config",
        "deployment-fsm-grafana: volume fsm-grafana-storage is mounted or there, and not both",
        "mutatingwebhookconfiguration-fsm-webhook-fsm: port 9443 of Service fsm-injector",
        "service-fsm-grafana: port 3001",
        "service-jaeger: selects 0 programs",
    ]
    pod["containers"][0]["volumemounts"] = pod["containers"][0].pop("volumeMounts")
    pod["containers"][0]["ports"][0]["containerPort"] = "3000"
    broken["service-jaeger"]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    place = "deployment-fsm-grafana.spec.template.spec.containers[0]"
    assert sorted(laws.broken((*changed, changed[0]))) == [
        "('Namespace', '', 'fsm-system'): twice",
        f"{place}.ports[0].containerPort: expected int, got '3000'",
        f"{place}.volumemounts: no field of V1Container",
        "namespace-fsm-system: twice",
        "service-jaeger.metadata.creationTimestamp: expected datetime, got '2026-01-01T00:00:00Z'",
        "the objects are in no order of waves",
    ]


@given(stacks)
def test_the_laws_hold_for_any_settings(data: dict[str, Any]) -> None:
    """And equal settings give equal bundles: no clock, no chance, no order of a set."""
    settings = settings_of(data)
    asset = asset_for(settings)
    once, twice = (
        bundle(settings, redirection(settings), asset=asset),
        bundle(settings_of(data), redirection(settings_of(data)), asset=asset),
    )
    assert [*laws.broken(once)] == []
    assert [json.dumps(item.object) for item in once] == [json.dumps(i.object) for i in twice]


def test_cluster_wide_objects_have_no_namespace() -> None:
    """The chart writes one on cluster roles of its hooks."""
    cluster_wide = {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
    for item in bundle_of(EVERYTHING):
        assert (item.namespace is None) is (item.kind in cluster_wide), item.slug


def test_objects_do_not_share_parts() -> None:
    """Whoever changes one object, for example in a transform, changes no other one."""
    first = bundle_of(EVERYTHING)
    before = json.dumps([item.object for item in bundle_of(EVERYTHING)])
    for item in first:
        _spoil(item.object)
    assert json.dumps([item.object for item in bundle_of(EVERYTHING)]) == before


def _spoil(value: Any) -> None:
    for item in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _spoil(item)
    value.clear()


def test_no_secret_is_in_a_bundle() -> None:
    """Rendered manifests are committed: a token is a reference, and no Secret is declared."""
    manifests = bundle_of(EVERYTHING)
    assert {item.kind for item in manifests} & {"Secret"} == set()
    arguments = json.dumps([item.object for item in manifests if item.kind == "Deployment"])
    assert '"--vault-token-secret-name", "vault"' in arguments
    assert '"--vault-token"' not in arguments


@pytest.mark.requirement("C22")
def test_namespace_and_mesh_are_settings_and_the_mesh_configs_name_is_not() -> None:
    data = {"mesh": {"name": "blue", "namespace": "mesh-control"}}
    manifests = bundle_of(data)
    assert {item.namespace for item in manifests} == {None, "mesh-control"}
    assert named(data, "MeshConfig", "fsm-mesh-config").namespace == "mesh-control"
    assert named(data, "Namespace", "mesh-control").wave is Wave.NAMESPACE
    assert named(data, "MutatingWebhookConfiguration", "fsm-webhook-blue")
    assert named(data, "ValidatingWebhookConfiguration", "fsm-validator-mesh-blue")
    text = json.dumps([item.object for item in manifests if item.kind != "MeshConfig"])
    assert "fsm-system" not in text


def test_a_namespace_that_exists_is_patched_and_not_declared() -> None:
    """A stack that gives its namespace up must not delete it with all that is in it."""
    (ours,) = [item for item in bundle_of({}) if item.kind == "Namespace"]
    (theirs,) = [
        item
        for item in bundle_of({"mesh": {"createNamespace": False}})
        if item.kind == "Namespace"
    ]
    assert (ours.patch, theirs.patch) == (False, True)
    assert ours.object == theirs.object


def test_the_crd_is_retained_as_set() -> None:
    name = "meshconfigs.config.flomesh.io"
    kept = named({}, "CustomResourceDefinition", name)
    gone = named({"deployment": {"retainCrds": False}}, "CustomResourceDefinition", name)
    assert (kept.retain, gone.retain) == (True, False)


def test_parts_of_the_stack() -> None:
    """A namespace joins with the injector's webhook: before it no pod there gets a sidecar."""
    observed = "fsm-(prometheus|grafana|jaeger)|jaeger|fluentbit-configmap"
    for item in bundle_of(EVERYTHING):
        expected = Part.CONTROL_PLANE
        if item.name in {"meshconfigs.config.flomesh.io", "fsm-mesh-config", "fsm-redirection",
                         "preset-mesh-config"}:  # fmt: skip
            expected = Part.MESH_CONFIG
        elif item.name in {"fsm-webhook-fsm", "bank", "quiet", "shop"}:
            expected = Part.INJECTOR_WEBHOOK
        elif item.name.startswith("fsm-guard-"):
            expected = Part.GUARD
        elif re.match(f"({observed})(-|$)", item.name):
            expected = Part.OBSERVABILITY
        assert item.part is expected, item.slug


@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_other_systems_are_mesh_config_and_redirection(system: str) -> None:
    """Their control plane is installed by their own tools."""
    mesh, redirection = bundle_of({"system": system, "enrolledNamespaces": [{"name": "shop"}]})
    assert (mesh.api_version, mesh.key) == (
        "config.openservicemesh.io/v1alpha2",
        ("MeshConfig", "osm-system", "osm-mesh-config"),
    )
    assert redirection.key == ("ConfigMap", "osm-system", "fsm-redirection")
    assert redirection.object["metadata"]["labels"] == {
        "app.kubernetes.io/name": "openservicemesh.io",
        "app.kubernetes.io/instance": "osm",
    }
    assert mesh.foreign_paths == redirection.foreign_paths == ()


def test_scripts_that_are_not_vendored_stop_the_bundle() -> None:
    with pytest.raises(FindingsError) as caught:
        bundle(settings_of({}), redirection(settings_of({})))
    [found] = caught.value.findings
    assert (found.id, found.place.path, found.value) == (
        "assets-missing",
        "releaseAssets.source",
        "vendored",
    )
    assert found.fix == (
        "fsm-stack vendor --version 1.5.1; for a review without them: "
        "fsm-stack render --without-release-assets"
    )


def test_scripts_of_another_release_are_refused() -> None:
    other = ReleaseAsset(version="1.6.0", sha256="0" * 64, scripts=b"")
    message = r"the Pipy scripts are those of FSM 1\.6\.0, expected FSM 1\.5\.1"
    with pytest.raises(InputError, match=message):
        bundle(settings_of({}), redirection(settings_of({})), asset=other)


def test_vendored_scripts_are_in_their_config_map() -> None:
    settings = settings_of({"releaseAssets": {"configMapName": "scripts"}})
    manifests = bundle(settings, redirection(settings), asset=asset_for(settings))
    [scripts] = [item for item in manifests if item.name == "scripts"]
    assert scripts.object["binaryData"] == {"scripts.tar.gz": base64.b64encode(b"pipy").decode()}


@pytest.mark.parametrize("source", ["existingConfigMap", "omit"])
def test_scripts_of_others_are_mounted_and_not_declared(source: str) -> None:
    settings = settings_of({"releaseAssets": {"source": source, "configMapName": "theirs"}})
    manifests = bundle(settings, redirection(settings))
    assert "theirs" not in {item.name for item in manifests}
    [controller] = [
        i for i in manifests if i.key == ("Deployment", "fsm-system", "fsm-controller")
    ]
    volumes = controller.object["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "fsm-init-repo-scripts", "configMap": {"name": "theirs"}}


def test_the_clusters_identity_is_a_setting_or_derived() -> None:
    """Two clusters differ; two renders of one do not."""

    def uid(data: dict[str, Any]) -> str:
        return str(
            named(data, "MeshConfig", "fsm-mesh-config").object["spec"]["clusterSet"]["uid"]
        )

    assert uid({}) == uid({})
    assert uid({"cluster": {"context": "a"}}) != uid({"cluster": {"context": "b"}})
    assert uid({"mesh": {"name": "a"}}) != uid({"mesh": {"name": "b"}})
    assert uid({"clusterSet": {"uid": "my-cluster"}}) == "my-cluster"


def test_the_preset_means_the_mesh_that_is_declared() -> None:
    """Whether bootstrap finds the MeshConfig or makes it, the mesh is the same."""
    spec = named(FULL, "MeshConfig", "fsm-mesh-config").object["spec"]
    preset = named(FULL, "ConfigMap", "preset-mesh-config").object["data"]
    leaves = dict(_leaves(json.loads(preset["preset-mesh-config.json"])))
    declared = dict(_leaves(spec))
    changed = {path for path in declared if leaves.get(path) != declared[path]}
    assert changed == {".warmup.duration"}


def test_a_config_map_that_the_api_server_would_refuse_is_told() -> None:
    """The lists of each profile repeat the mesh's; the limit is the server's, 1 MiB."""
    data = {
        "releaseAssets": {"source": "omit"},
        "traffic": {
            "outboundIPRangeExclusionList": [f"10.{n // 256}.{n % 256}.0/24" for n in range(4000)]
        },
        "annotationProfiles": {f"p{n}": {"outboundPortExclusionList": [n + 1]} for n in range(16)},
    }
    with pytest.raises(FindingsError) as caught:
        bundle(settings_of(data), redirection(settings_of(data)))
    assert [item.id for item in caught.value.findings] == ["too-large"]
