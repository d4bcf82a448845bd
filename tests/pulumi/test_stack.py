from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import FOLLOWED, Wave
from fsm_stack.pulumi.guard import WrongClusterError
from fsm_stack.pulumi.kinds import OWNER
from fsm_stack.pulumi.stack import FsmStack
from fsm_stack.redirection.scopes import redirection
from tests.manifests.stacks import EVERYTHING, asset_for, settings_of

from .recorder import CLUSTER_UID, Recorder, run
from .samples import ASSET, CRD, INJECTOR_WEBHOOK, resource, settings, up


@pytest.mark.requirement("C7")
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_the_engine_is_asked_for_exactly_the_objects_of_the_bundle(*, preview: bool) -> None:
    """Resources, rendered files and verification must never disagree on what a stack is."""
    stack = settings(deployment={"retainCrds": False})

    recorder = up(stack, preview=preview)

    manifests = bundle(stack, redirection(stack), asset=ASSET)
    assert sorted(recorder.names()) == sorted(f"fsm-{manifest.slug}" for manifest in manifests)
    for manifest in manifests:
        inputs = resource(recorder, manifest).inputs
        notes = inputs["metadata"].get("annotations", {})
        owner = notes.pop(OWNER, None)
        assert owner == (None if manifest.wave is Wave.ENROLMENT else "organization/fsm-stack/dev")
        if not notes:
            inputs["metadata"].pop("annotations", None)
        if manifest.restarts_with:
            del inputs["spec"]["template"]["metadata"]["annotations"][FOLLOWED]
        assert inputs == manifest.object, manifest.slug


def test_every_program_beside_the_control_plane_is_a_resource() -> None:
    """Numbers come back as floats, which are equal all the same."""
    stack = settings_of(EVERYTHING)

    def program() -> None:
        FsmStack("fsm", stack, asset=asset_for(stack))

    recorder = run(program)

    manifests = bundle(stack, redirection(stack), asset=asset_for(stack))
    assert sorted(recorder.names()) == sorted(f"fsm-{manifest.slug}" for manifest in manifests)
    types = {one.name: one.type for one in recorder.registrations}
    assert types["fsm-observability"] == "fsm-stack:index:Observability"
    assert types["fsm-daemonset-fsm-xnetwork"] == "kubernetes:apps/v1:DaemonSet"
    assert types["fsm-ingressclass-pipy"] == "kubernetes:networking.k8s.io/v1:IngressClass"
    for manifest in manifests:
        if "ingress" in manifest.name or manifest.kind == "DaemonSet":
            inputs = resource(recorder, manifest).inputs
            assert inputs.get("spec") == manifest.object["spec"], manifest.slug


def test_pods_that_complete_a_webhook_follow_its_identity() -> None:
    """They write the CA bundle when they start: over a new configuration they start once more."""

    class Made(Recorder):
        def new_resource(self, args: Any) -> tuple[str | None, dict[str, Any]]:
            metadata = {**args.inputs.get("metadata", {}), "uid": f"uid of {args.name}"}
            return f"{args.name}-id", {**args.inputs, "metadata": metadata}

    def program() -> None:
        FsmStack("fsm", settings(), asset=ASSET)

    recorder = run(program, recorder=Made())

    followed = {
        app: resource.inputs["spec"]["template"]["metadata"]["annotations"].get(FOLLOWED)
        for app in ("bootstrap", "controller", "injector")
        for resource in (recorder[f"fsm-deployment-fsm-{app}"],)
    }
    assert followed == {
        "bootstrap": None,
        "controller": (
            "uid of fsm-validatingwebhookconfiguration-fsm-validator-mesh-fsm,"
            "uid of fsm-mutatingwebhookconfiguration-flomesh-mutating-webhook-configuration,"
            "uid of fsm-validatingwebhookconfiguration-flomesh-validating-webhook-configuration"
        ),
        "injector": f"uid of {INJECTOR_WEBHOOK}",
    }


def test_objects_are_native_typed_resources() -> None:
    """Policies and reviewers then see a Deployment, and not a blob of YAML."""
    recorder = up(settings())

    assert {one.name: one.type for one in recorder.registrations} == {
        "fsm": "fsm-stack:index:FsmStack",
        "fsm-control-plane": "fsm-stack:index:ControlPlane",
        "fsm-mesh-config": "fsm-stack:index:MeshConfig",
        "fsm-injector-webhook": "fsm-stack:index:InjectorWebhook",
        "fsm-enrolment": "pulumi:index:Stash",
        "fsm-namespace-fsm-system": "kubernetes:core/v1:Namespace",
        CRD: "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinitionPatch",
        "fsm-meshconfig-fsm-mesh-config": "kubernetes:config.flomesh.io/v1alpha3:MeshConfig",
        "fsm-serviceaccount-fsm": "kubernetes:core/v1:ServiceAccount",
        "fsm-clusterrole-fsm": "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        "fsm-clusterrole-fsm-leader-election-role": (
            "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
        ),
        "fsm-clusterrolebinding-fsm": (
            "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
        ),
        "fsm-clusterrolebinding-fsm-leader-election-rolebinding": (
            "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
        ),
        "fsm-role-fsm-mesh-config-role": "kubernetes:rbac.authorization.k8s.io/v1:Role",
        "fsm-configmap-fsm-init-repo-scripts": "kubernetes:core/v1:ConfigMap",
        "fsm-configmap-fsm-redirection": "kubernetes:core/v1:ConfigMap",
        "fsm-configmap-preset-mesh-config": "kubernetes:core/v1:ConfigMap",
        "fsm-service-fsm-bootstrap": "kubernetes:core/v1:Service",
        "fsm-service-fsm-controller": "kubernetes:core/v1:Service",
        "fsm-service-fsm-injector": "kubernetes:core/v1:Service",
        "fsm-service-fsm-validator": "kubernetes:core/v1:Service",
        "fsm-mutatingwebhookconfiguration-flomesh-mutating-webhook-configuration": (
            "kubernetes:admissionregistration.k8s.io/v1:MutatingWebhookConfiguration"
        ),
        INJECTOR_WEBHOOK: "kubernetes:admissionregistration.k8s.io/v1:MutatingWebhookConfiguration",
        "fsm-validatingwebhookconfiguration-flomesh-validating-webhook-configuration": (
            "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration"
        ),
        "fsm-validatingwebhookconfiguration-fsm-validator-mesh-fsm": (
            "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration"
        ),
        "fsm-deployment-fsm-bootstrap": "kubernetes:apps/v1:Deployment",
        "fsm-deployment-fsm-controller": "kubernetes:apps/v1:Deployment",
        "fsm-deployment-fsm-injector": "kubernetes:apps/v1:Deployment",
        "fsm-namespace-shop": "kubernetes:core/v1:NamespacePatch",
        "fsm-namespace-demo": "kubernetes:core/v1:NamespacePatch",
    }


def test_each_wave_waits_for_the_whole_wave_before_it() -> None:
    """Destroying runs the same order backwards: enrolled namespaces leave the mesh first."""
    stack = settings()
    recorder = up(stack)

    before: frozenset[str] = frozenset()
    for wave in Wave:
        members = [m for m in bundle(stack, redirection(stack), asset=ASSET) if m.wave is wave]
        expected = before | {"fsm-enrolment"} if wave is Wave.WEBHOOK else before
        for manifest in members:
            assert resource(recorder, manifest).depends_on == expected, manifest.slug
        before = frozenset(resource(recorder, manifest).name for manifest in members)
    assert before == {"fsm-namespace-shop", "fsm-namespace-demo"}


def test_every_object_belongs_to_the_component_of_its_part() -> None:
    """`pulumi up` then shows a tree that reads like the mesh."""
    recorder = up(settings())

    parents = {one.name: one.parent for one in recorder.registrations}
    assert parents["fsm"] == "fsm-stack-dev"
    assert parents["fsm-control-plane"] == parents["fsm-injector-webhook"] == "fsm"
    assert parents["fsm-mesh-config"] == parents["fsm-enrolment"] == "fsm"
    assert parents["fsm-deployment-fsm-injector"] == "fsm-control-plane"
    assert parents[CRD] == "fsm-mesh-config"
    assert parents[INJECTOR_WEBHOOK] == parents["fsm-namespace-shop"] == "fsm-injector-webhook"


def test_the_provider_of_the_component_is_every_objects() -> None:
    """An object that fell back to the default provider would land in another cluster."""

    def program() -> None:
        provider = pulumi_kubernetes.Provider("elsewhere", context="elsewhere")
        FsmStack("fsm", settings(), asset=ASSET, opts=pulumi.ResourceOptions(provider=provider))

    recorder = run(program)

    providers = {one.name: one.provider for one in recorder.registrations if one.custom}
    del providers["elsewhere"]
    assert providers.pop("fsm-enrolment") == "", "the engine itself keeps it"
    assert set(providers.values()) == {"elsewhere"}


def test_transforms_of_the_component_are_given_to_the_engine() -> None:
    """The engine runs them for every child; the mock monitor does not."""

    def owner(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
        return pulumi.ResourceTransformResult({**args.props, "owner": "platform"}, args.opts)

    recorder = up(settings(), transforms=[owner])

    assert recorder["fsm"].transforms == 1


def test_whoever_depends_on_the_stack_waits_for_every_object() -> None:
    """An application deployed into the mesh must not start before its namespace is enrolled."""

    def program() -> None:
        stack = FsmStack("fsm", settings(), asset=ASSET)
        opts = pulumi.ResourceOptions(depends_on=[stack])
        pulumi_kubernetes.core.v1.ConfigMap("app", metadata={"name": "app"}, opts=opts)

    recorder = run(program)

    objects = set(recorder.names()) - {"app"}
    assert recorder["app"].depends_on >= objects | {"fsm-enrolment"}


def test_two_stacks_in_one_program_have_resources_of_their_own() -> None:
    """Two clusters from one program are two components, each with its provider."""

    def program() -> None:
        for name in ("one", "two"):
            opts = pulumi.ResourceOptions(provider=pulumi_kubernetes.Provider(name))
            FsmStack(f"in-{name}", settings(), asset=ASSET, opts=opts)

    names = run(program).names()

    assert (
        len(names)
        == len(set(names))
        == 2 * len(bundle(settings(), redirection(settings()), asset=ASSET))
    )


def test_a_mesh_of_another_system_has_the_parts_that_it_declares() -> None:
    """osm-edge's control plane is installed by its own tools."""
    recorder = up(settings(system="osm-edge", enrolledNamespaces=[]))

    assert [one.name for one in recorder.registrations] == [
        "fsm",
        "fsm-mesh-config",
        "fsm-meshconfig-osm-mesh-config",
        "fsm-configmap-fsm-redirection",
    ]


def test_nothing_is_read_from_a_cluster_that_the_settings_do_not_name() -> None:
    """A preview of a cluster that does not exist yet must work."""
    assert up(settings()).reads == []


def test_a_named_context_is_looked_at_before_anything_is_declared() -> None:
    """One that the kubeconfig does not have would only fail in the middle of the update."""
    recorder = up(settings(cluster={"context": "prod"}), preview=True)

    assert recorder.reads == [("kubernetes:core/v1:Namespace", "fsm-cluster", "kube-system")]
    assert recorder["fsm-namespace-fsm-system"].depends_on == {"fsm-cluster"}


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_the_cluster_is_compared_before_anything_is_declared_in_it(*, preview: bool) -> None:
    recorder = up(settings(cluster={"uid": CLUSTER_UID}), preview=preview)

    assert recorder.reads == [("kubernetes:core/v1:Namespace", "fsm-cluster", "kube-system")]
    assert recorder["fsm-namespace-fsm-system"].depends_on == {"fsm-cluster"}


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_another_cluster_than_the_settings_is_an_error_and_nothing_is_declared(
    *, preview: bool
) -> None:
    other = "11111111-1111-4111-8111-111111111111"
    recorder = Recorder(cluster_uid=other)

    def program() -> None:
        FsmStack("fsm", settings(cluster={"uid": CLUSTER_UID}), asset=ASSET)

    with pytest.raises(WrongClusterError, match=r"^1 error; nothing was changed$"):
        run(program, preview=preview, recorder=recorder)

    (message,) = (text for level, text in recorder.log if level == "ERROR")
    assert message == (
        f"cluster.uid: expected namespace kube-system to have UID {CLUSTER_UID}, found {other}: "
        "this is another cluster, nothing was changed. Choose the kubeconfig context of the "
        "stack's cluster, or correct cluster.uid."
    )
    assert recorder.names() == []


def test_an_error_of_the_bundle_leaves_nothing_declared() -> None:
    recorder = Recorder()

    def program() -> None:
        FsmStack("fsm", settings(), asset=replace(ASSET, version="1.6.0"))

    with pytest.raises(Exception, match=r"1\.6\.0"):
        run(program, recorder=recorder)
    assert recorder.registrations == []


def test_the_components_outputs_are_the_stacks() -> None:
    stack = settings(annotationProfiles={"redis": {"outboundPortExclusionList": [6380]}})
    recorder = up(stack)

    outputs = recorder.outputs["fsm"]
    assert outputs["schemaVersion"] == 2
    assert outputs["meshName"] == "fsm"
    assert outputs["annotations"]["redis"] == {"flomesh.io/outbound-port-exclusion-list": "6380"}
    for part in ("fsm-control-plane", "fsm-mesh-config", "fsm-injector-webhook"):
        assert recorder.outputs[part] == {}
