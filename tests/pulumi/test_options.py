from __future__ import annotations

import json

import pytest

from fsm_stack.errors import InputError
from fsm_stack.manifests.bundle import bundle
from fsm_stack.pulumi.kinds import OWNER, PATCH_FORCE, require_adoptable
from fsm_stack.redirection.scopes import redirection

from .samples import ASSET, CRD, INJECTOR_WEBHOOK, settings, up


def test_fields_that_others_write_are_ignored_and_no_others() -> None:
    """A CA bundle that the injector wrote must survive an update; everything else is ours."""
    stack = settings(components={"injector": {"autoscaling": {"enabled": True}}})
    recorder = up(stack)

    assert {
        one.name: one.ignore_changes for one in recorder.registrations if one.ignore_changes
    } == {
        CRD: (
            "spec.versions",
            "spec.names",
            "spec.conversion",
            'metadata.labels["flomesh.io/reconcile"]',
        ),
        "fsm-meshconfig-fsm-mesh-config": (
            'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]',
            "spec.connector.viaGateway",
        ),
        INJECTOR_WEBHOOK: ("webhooks[*].clientConfig.caBundle",),
        "fsm-validatingwebhookconfiguration-fsm-validator-mesh-fsm": (
            "webhooks[*].clientConfig.caBundle",
        ),
        "fsm-mutatingwebhookconfiguration-flomesh-mutating-webhook-configuration": ("webhooks",),
        "fsm-validatingwebhookconfiguration-flomesh-validating-webhook-configuration": (
            "webhooks",
        ),
        "fsm-deployment-fsm-injector": ("spec.replicas",),
    }


def test_documents_that_repeat_the_mesh_config_are_left_out_of_differences() -> None:
    """Each has a digest beside it: the engine shows an object without a visible difference whole."""
    hidden = {one.name: one.hide_diffs for one in up(settings()).registrations if one.hide_diffs}

    assert hidden == {
        "fsm-configmap-fsm-redirection": ('data["redirection.json"]',),
        "fsm-configmap-preset-mesh-config": ('data["preset-mesh-config.json"]',),
    }
    for manifest in bundle(settings(), redirection(settings()), asset=ASSET):
        if manifest.repeats:
            assert len(manifest.object["data"]) > len(manifest.repeats)


def test_options_that_no_object_asks_for_are_not_set() -> None:
    """`protect` in particular would make `pulumi destroy` fail."""
    recorder = up(settings())

    assert not any(one.protect for one in recorder.registrations)
    assert not any(one.timeouts for one in recorder.registrations)
    assert {one.name for one in recorder.registrations if one.retain_on_delete} == {CRD}


def test_every_object_says_what_to_do_when_others_wrote_into_it() -> None:
    """A Deployment that kubectl scaled conflicts as a patched MeshConfig does."""
    hooks = {one.name: one.hooks for one in up(settings()).registrations if one.hooks}
    assert hooks.pop("fsm-enrolment") == ("fsm-enrolment-webhooks-in-use",)
    assert hooks.pop("fsm-meshconfig-fsm-mesh-config") == ("fsm-mesh-config-conflict",)
    assert "fsm-deployment-fsm-controller" in hooks
    assert set(hooks.values()) == {("fsm-conflict",)}


def test_objects_with_fixed_names_are_deleted_before_they_are_replaced() -> None:
    """A second object of the same name cannot stand beside the first; a patch can be repeated."""
    recorder = up(settings())

    once = {
        one.name
        for one in recorder.registrations
        if one.type.startswith("kubernetes:") and not one.delete_before_replace
    }
    assert once == {CRD, "fsm-namespace-demo", "fsm-namespace-shop"}


def test_a_kept_crd_is_applied_where_it_exists_and_stays_on_destroy() -> None:
    """Creating a plain resource that exists fails: `up` after `destroy` would never work."""
    crd = up(settings())[CRD]

    assert crd.type == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinitionPatch"
    assert crd.retain_on_delete
    assert "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition" in crd.aliases
    assert crd.inputs["metadata"]["annotations"] == {
        "pulumi.com/patchForce": "true",
        "pulumi.com/patchFieldManager": "fsm-stack",
    }


def test_a_crd_that_is_not_kept_is_the_same_object_under_another_type() -> None:
    """Else turning `retainCrds` off and on would delete the CRD, and every mesh policy with it."""
    crd = up(settings(deployment={"retainCrds": False}))[CRD]

    assert crd.type == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert not crd.retain_on_delete
    assert "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinitionPatch" in crd.aliases
    assert set(crd.inputs["metadata"]["annotations"]) == {OWNER}


def test_a_namespace_given_up_or_taken_over_is_the_same_object_under_another_type() -> None:
    """Else the engine would delete a namespace, with all in it, that others own from now on."""
    recorder = up(settings())

    assert recorder["fsm-namespace-fsm-system"].aliases == ("kubernetes:core/v1:NamespacePatch",)


@pytest.mark.parametrize("create", [True, False])
def test_an_enrolled_namespace_is_never_the_engines_to_delete(*, create: bool) -> None:
    """Leaving the mesh, or a change of `create`, must not take an application's namespace away."""
    enrolled = up(settings(enrolledNamespaces=[{"name": "demo", "create": create}]))
    demo = enrolled["fsm-namespace-demo"]

    assert demo.type == "kubernetes:core/v1:NamespacePatch"
    assert demo.aliases == ()
    assert not demo.retain_on_delete  # so that its label and annotations are taken off


def test_waiting_for_readiness_is_skipped_where_it_would_wait() -> None:
    """Where no controller runs, a Deployment never becomes ready and a Service has no endpoint."""
    recorder = up(settings(deployment={"skipAwait": True}))

    skipped = {
        one.name
        for one in recorder.registrations
        if one.inputs.get("metadata", {}).get("annotations", {}).get("pulumi.com/skipAwait")
    }
    assert skipped == {
        "fsm-deployment-fsm-bootstrap",
        "fsm-deployment-fsm-controller",
        "fsm-deployment-fsm-injector",
        "fsm-service-fsm-bootstrap",
        "fsm-service-fsm-controller",
        "fsm-service-fsm-injector",
        "fsm-service-fsm-validator",
    }
    stack = settings(deployment={"skipAwait": True})
    rendered = json.dumps([dict(m.object) for m in bundle(stack, redirection(stack), asset=ASSET)])
    assert "pulumi.com" not in rendered, "an annotation for the engine is in the GitOps files"


def test_the_mesh_config_alone_may_be_forced() -> None:
    """By a setting: otherwise a foreign writer's field is an error that names the writer."""
    recorder = up(settings(deployment={"forceMeshConfig": True, "retainCrds": False}))

    forced = {
        one.name: one.inputs["metadata"]["annotations"]["pulumi.com/patchForce"]
        for one in recorder.registrations
        if "pulumi.com/patchForce" in one.inputs.get("metadata", {}).get("annotations", {})
    }
    assert forced == {"fsm-meshconfig-fsm-mesh-config": "true"}


def test_only_the_objects_that_are_adopted_are_forced() -> None:
    """The installer's fields are taken object by object; a person's stay in the way elsewhere."""
    injector = "Deployment/fsm-system/fsm-injector"
    recorder = up(settings(deployment={"adopt": [injector]}))
    forced = [
        one.name
        for one in recorder.registrations
        if PATCH_FORCE in one.inputs.get("metadata", {}).get("annotations", {})
    ]
    assert forced == [CRD, "fsm-deployment-fsm-injector"]  # the CRD is kept from life to life


def test_an_object_that_the_stack_does_not_have_is_not_adopted() -> None:
    stack = settings(deployment={"adopt": ["Deployment/fsm-system/fsm-gateway"]})
    with pytest.raises(InputError) as caught:
        require_adoptable(bundle(stack, redirection(stack), asset=ASSET), stack.deployment)
    assert str(caught.value) == (
        "deployment.adopt[0]: expected an object of this stack, got "
        "Deployment/fsm-system/fsm-gateway; fsm-stack adopt lists them"
    )
