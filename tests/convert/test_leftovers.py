"""What a removed mesh leaves, in the order in which it can be taken away."""

from __future__ import annotations

from typing import Any

from fsm_stack.convert.leftovers import findings, leftovers
from fsm_stack.convert.remains import Remains, of_objects
from fsm_stack.manifests.canary import STABLE, objects, patch
from fsm_stack.manifests.services import injector_webhook
from tests.settings.loading import settings

from .test_sources import release

Json = dict[str, Any]


def hook() -> Json:
    return injector_webhook(settings({}))


def named(kind: str, name: str, place: str = "", **about: Any) -> Json:
    where = {"namespace": place} if place else {}
    return {"kind": kind, "metadata": {"name": name, **where, **about}}


HELM = {"owner": "helm", "name": "mesh"}


def ids(remains: Remains) -> list[str]:
    return [one.id for one in findings(leftovers(remains), remains)]


def test_nothing_is_left_of_what_was_never_there() -> None:
    theirs = Remains(
        webhooks=[{**named("MutatingWebhookConfiguration", "cert-manager-webhook"),
                   "webhooks": [{"name": "webhook.cert-manager.io"}]}],
        namespaces=[named("Namespace", "shop", labels={"team": "shop"})],
        secrets=[named("Secret", "sidecar-bootstrap-config-of-mine", "shop")],
        roles=[named("ClusterRole", "view")],
        definitions=[named("CustomResourceDefinition", "gateways.gateway.networking.k8s.io",
                           labels={"app.kubernetes.io/name": "flomesh.io"})],
    )  # fmt: skip
    assert leftovers(theirs) == ()
    assert ids(theirs) == []


def test_a_stray_webhook_that_blocks_pods_is_named_first() -> None:
    """Its service is gone, or no pod answers behind it."""
    remains = Remains(
        webhooks=[hook()],
        namespaces=[named("Namespace", "shop", labels={"flomesh.io/monitored-by": "fsm"})],
    )
    first, second = leftovers(remains)
    assert str(first.name) == "MutatingWebhookConfiguration/fsm-webhook-fsm"
    assert first.why == (
        "Service fsm-system/fsm-injector is not there: every new one of pods, virtualmachines in "
        "namespaces with flomesh.io/monitored-by=fsm is refused"
    )
    assert first.command == "kubectl delete mutatingwebhookconfiguration fsm-webhook-fsm"
    assert str(second.name) == "Namespace/shop"
    assert ids(remains) == ["leftover-blocks-pods", "leftover-found"]
    remains.services.add(("fsm-system", "fsm-injector"))
    assert "has no pod that answers" in leftovers(remains)[0].why
    remains.served.add(("fsm-system", "fsm-injector"))
    assert ids(remains) == ["leftover-found"]
    assert [one.step.name for one in leftovers(remains)] == ["ENROLMENT", "WEBHOOK"]


def test_a_webhook_that_lets_pods_pass_blocks_none() -> None:
    item = hook()
    item["webhooks"][0]["failurePolicy"] = "Ignore"
    assert ids(Remains(webhooks=[item])) == ["leftover-found"]


def test_policies_of_a_guard_are_left_and_others_are_not() -> None:
    """They refuse nothing of a mesh that is gone; a next one would meet them."""
    ours = {"app.kubernetes.io/name": "flomesh.io"}
    remains = of_objects(
        [
            named("ValidatingAdmissionPolicy", "fsm-guard-pods", labels=ours),
            named("ValidatingAdmissionPolicyBinding", "fsm-guard-pods", labels=ours),
            named("ValidatingAdmissionPolicy", "no-latest-tag"),
        ]
    )
    assert [(one.step.name, one.command) for one in leftovers(remains)] == [
        ("WEBHOOK", "kubectl delete validatingadmissionpolicy fsm-guard-pods"),
        ("WEBHOOK", "kubectl delete validatingadmissionpolicybinding fsm-guard-pods"),
    ]


def test_a_mesh_that_lives_is_no_leftover() -> None:
    remains = Remains(webhooks=[hook()], services={("fsm-system", "fsm-injector")},
                      served={("fsm-system", "fsm-injector")},
                      meshes=[("fsm-system", "fsm-mesh-config")])  # fmt: skip
    assert ids(remains) == ["leftover-mesh-lives"]


def test_everything_is_listed_by_name_in_the_safe_order() -> None:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-7f9c5d",
        "controller": True,
    }
    uid = {"fsm-proxy-uuid": "1", "pod-template-hash": "7f9c5d"}
    remains = of_objects(
        [
            named("CustomResourceDefinition", "egresses.policy.flomesh.io"),
            named("CustomResourceDefinition", "httproutes.gateway.networking.k8s.io"),
            named("ClusterRole", "fsm", labels={"app.kubernetes.io/name": "flomesh.io"}),
            named("ClusterRoleBinding", "fsm", labels={"app.kubernetes.io/name": "flomesh.io"}),
            named("Secret", "fsm-ca-bundle", "fsm-system"),
            named("Secret", "sh.helm.release.v1.fsm.v1", "fsm-system",
                  labels={"owner": "helm", "name": "fsm"}),
            named("Secret", "sidecar-bootstrap-config-1", "shop",
                  labels={"app.kubernetes.io/name": "flomesh.io"}),
            named("Secret", "theirs", "shop"),
            named("Pod", "web-7f9c5d-x2x", "shop", labels=uid, uid="1", ownerReferences=[owner]),
            named("Pod", "web-7f9c5d-y3y", "shop", labels=uid, uid="2", ownerReferences=[owner]),
            named("Pod", "alone", "shop", labels={"osm-proxy-uuid": "2"}),
            named("Pod", "plain", "shop"),
            named("Namespace", "shop", labels={"openservicemesh.io/monitored-by": "osm"},
                  annotations={"openservicemesh.io/sidecar-injection": "enabled"}),
            hook(),
            named("Service", "fsm-injector", "fsm-system"),
            {**named("EndpointSlice", "x", "fsm-system",
                     labels={"kubernetes.io/service-name": "fsm-injector"}),
             "endpoints": [{"conditions": {"ready": True}}]},
        ]
    )  # fmt: skip
    assert [one.command for one in leftovers(remains)] == [
        "kubectl label namespace shop openservicemesh.io/monitored-by-",
        "kubectl annotate namespace shop openservicemesh.io/sidecar-injection-",
        "kubectl rollout restart deployment/web -n shop",
        "kubectl delete pod alone -n shop",
        "kubectl delete mutatingwebhookconfiguration fsm-webhook-fsm",
        "kubectl delete secret sh.helm.release.v1.fsm.v1 -n fsm-system",
        "kubectl delete secret fsm-ca-bundle -n fsm-system",
        "kubectl delete secret sidecar-bootstrap-config-1 -n shop",
        "kubectl delete clusterrole fsm",
        "kubectl delete clusterrolebinding fsm",
        "kubectl delete crd egresses.policy.flomesh.io",
    ]


def test_nobody_elses_records_and_authorities_are_named() -> None:
    """Deleting Helm's record of another release makes Helm forget what it installed."""
    remains = of_objects(
        [
            release({}, chart="nginx") | named("Secret", "a", "fsm-system", labels=HELM),
            release({}, chart="fsm") | named("Secret", "b", "web", labels=HELM),
            named("Secret", "c", "web", labels=HELM),
            named("Secret", "d", "fsm-system", labels=HELM),
            named("Secret", "e", "web", labels=HELM | {"name": "blue"}),
            named("Secret", "corp-ca-bundle", "web"),
            named("Secret", "osm-ca-bundle", "web"),
            named("Namespace", "shop", labels={"flomesh.io/monitored-by": "blue"}),
        ]
    )
    found = [one.command for one in leftovers(remains) if one.name.kind == "Secret"]
    assert found == [
        "helm get metadata mesh -n fsm-system",
        "kubectl delete secret b -n web",
        "kubectl delete secret e -n web",
        "kubectl delete secret osm-ca-bundle -n web",
    ]


def test_a_namespaces_labels_and_annotations_are_told_by_their_names() -> None:
    keys = {"flomesh.io/sidecar-injection": "enabled"}
    item = named("Namespace", "a", labels={"flomesh.io/ignore": "true"}, annotations=keys)
    assert [one.why for one in leftovers(of_objects([item]))] == [
        "labels of a mesh: flomesh.io/ignore",
        "annotations of a mesh: flomesh.io/sidecar-injection",
    ]


def test_a_name_that_a_shell_would_read_is_quoted() -> None:
    """Names come from the cluster, commands go to a shell."""
    remains = Remains(definitions=[named("CustomResourceDefinition", "a;rm -rf x.flomesh.io")])
    assert leftovers(remains)[0].command == "kubectl delete crd 'a;rm -rf x.flomesh.io'"


def test_what_a_canary_made_is_taken_away() -> None:
    """Its policy, its binding, and what it wrote into pod templates."""
    adds = {"flomesh.io/outbound-port-exclusion-list": "443"}
    owner = named("Deployment", "web", "shop") | patch({}, adds, earlier={})
    owner["metadata"] |= named("Deployment", "web", "shop")["metadata"]
    found = leftovers(of_objects([*objects("shop", adds, api_version=STABLE), owner]))
    assert [one.command for one in found] == [
        "kubectl patch deployment web -n shop --type=merge -p "
        '\'{"metadata":{"labels":{"fsm-stack.flomesh.io/canary":null},"annotations":'
        '{"fsm-stack.flomesh.io/canary-before":null}},"spec":{"template":{"metadata":{"labels":'
        '{"fsm-stack.flomesh.io/canary":null},"annotations":'
        '{"flomesh.io/outbound-port-exclusion-list":null}}}}}\'',
        "kubectl delete mutatingadmissionpolicy fsm-stack-canary-shop",
        "kubectl delete mutatingadmissionpolicybinding fsm-stack-canary-shop",
    ]
    assert {one.step.name for one in found} == {"CANARY"}
