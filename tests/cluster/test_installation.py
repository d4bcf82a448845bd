"""What a cluster says of an installation, of itself, and of what is left; refusals are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from fsm_stack.cluster.installation import (
    read_annotations,
    read_facts,
    read_installation,
    read_leftovers,
    read_objects,
)
from fsm_stack.convert.initial import Facts, collapsed, first_stack, first_text
from fsm_stack.convert.result import Converted
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_text
from tests.settings.loading import TODAY, settings

from .test_api import Server

if TYPE_CHECKING:
    from .test_api import Scripted

Json = dict[str, Any]
SYSTEM = "/api/v1/namespaces/kube-system"


def serving(pages: dict[str, Json | int]) -> Server:
    """A server with these objects by path, and lists by theirs; a number is a refusal."""

    def answer(path: str) -> Scripted:
        plain = unquote(path.partition("?")[0])
        page = pages.get(plain, 404)
        return (page, {"message": f"no {plain}"}) if isinstance(page, int) else (200, page)

    return Server(answer)


def listed(*items: Json) -> Json:
    return {"items": list(items), "metadata": {}}


def named(name: str, place: str = "", **more: Any) -> Json:
    return {"metadata": {"name": name, **({"namespace": place} if place else {})}, **more}


CLUSTER: dict[str, Json | int] = {
    SYSTEM: {"metadata": {"uid": "01234567-89ab-cdef-0123-456789abcdef"}},
    "/version": {"major": "1", "minor": "33+"},
    "/api/v1/namespaces/default/services/kubernetes": {
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}
    },
}


def test_a_cluster_tells_its_identity_and_ranges() -> None:
    """Kubeadm keeps whole ranges; else the ServiceCIDRs and the nodes' own ranges do."""
    config = "networking:\n  podSubnet: 10.244.0.0/16,fd00::/56\n  serviceSubnet: 10.96.0.0/16\n"
    kubeadm = {f"{SYSTEM}/configmaps/kubeadm-config": {"data": {"ClusterConfiguration": config}}}
    facts = read_facts(serving(CLUSTER | kubeadm).cluster())
    assert (facts.kubernetes_version, facts.api_server) == ("1.33", ("10.96.0.1", 443))
    assert (facts.pod_ranges, facts.service_ranges) == (("10.244.0.0/16",), ("10.96.0.0/16",))
    assert facts.unknown == ()
    assert not facts.openshift
    parts = {
        "/apis/networking.k8s.io/v1/servicecidrs": listed({"spec": {"cidrs": ["10.0.0.0/20"]}}),
        "/api/v1/nodes": listed(
            {"spec": {"podCIDRs": ["10.4.0.0/24", "fd00::/64"]}},
            {"spec": {"podCIDR": "10.4.1.0/24"}},
        ),
    }
    facts = read_facts(serving(CLUSTER | parts).cluster())
    assert (facts.pod_ranges, facts.service_ranges) == (("10.4.0.0/23",), ("10.0.0.0/20",))


def test_a_cluster_that_serves_openshifts_security_is_one() -> None:
    served = {"/apis/security.openshift.io/v1": {"kind": "APIResourceList", "resources": []}}
    facts = read_facts(serving(CLUSTER | served).cluster())
    text = first_text(first_stack(facts), facts)
    assert "    openshift: true  # /apis/security.openshift.io/v1\n" in text
    assert load_text(text, file="x", today=TODAY).require().cluster.openshift


def test_what_a_cluster_does_not_tell_is_said_in_the_file() -> None:
    server = serving({SYSTEM: 403, "/version": {"major": "1", "minor": "31"}})
    facts = read_facts(server.cluster())
    assert (facts.uid, facts.kubernetes_version, facts.api_server) == ("", "1.31", None)
    text = first_text(first_stack(facts), facts)
    assert (
        "# Not known: cluster.podRanges: nothing in the cluster tells the range; until it is "
        "written checks assume the usual one\n"
    ) in text
    assert load_text(text, file="x", today=TODAY).require().cluster.kubernetes_version == "1.31"


def test_a_first_stack_of_a_cluster_says_where_each_value_was_read() -> None:
    facts = read_facts(serving(CLUSTER).cluster())
    mesh = Converted(settings={"fsmVersion": "1.5.1", "enrolledNamespaces": [{"name": "shop"}]},
                     title="MeshConfig fsm-system/fsm-mesh-config")  # fmt: skip
    result = first_stack(facts, found=mesh, enrolled=["shop", "cart"], create=True)
    text = first_text(result, facts)
    assert "    context: test  # the kubeconfig's\n" in text
    assert '    uid: "01234567-89ab-cdef-0123-456789abcdef"  # of namespace kube-system\n' in text
    assert "# The mesh that is there: MeshConfig fsm-system/fsm-mesh-config.\n" in text
    stack = load_text(text, file="x", today=TODAY).require()
    assert [(one.name, one.create) for one in stack.enrolled_namespaces] == [
        ("shop", False),
        ("cart", True),
    ]


@pytest.mark.parametrize(
    ("ranges", "found"),
    [
        (["10.0.0.0/25", "10.0.0.128/25"], ("10.0.0.0/24",)),
        (["10.0.0.0/24", "10.0.2.0/24"], ("10.0.0.0/24", "10.0.2.0/24")),
        (["fd00::/8", "x", None, ""], ()),
    ],
)
def test_ranges_are_joined_and_never_widened(ranges: list[object], found: tuple[str, ...]) -> None:
    assert collapsed(ranges) == found


@pytest.mark.parametrize(("version", "action"), [("1.29", "off"), ("1.30", "deny"), ("", "deny")])
def test_a_first_stack_guards_a_cluster_that_can_be_guarded(version: str, action: str) -> None:
    """Who begins has nothing that a policy could surprise; who has a stack decides himself."""
    facts = Facts(kubernetes_version=version)
    text = first_text(first_stack(facts), facts)
    guard = load_text(text, file="x", today=TODAY).require().guard
    assert guard.mesh_config == action
    assert (guard.pods, guard.bypasses) == (
        ("off", "off") if action == "off" else ("warn", "warn")
    )
    assert ("fsm-stack:guard" in text) == (action != "off")


def test_an_empty_first_stack_needs_nothing() -> None:
    text = first_text(first_stack(Facts()), Facts())
    assert load_text(text, file="x", today=TODAY).findings == ()


def test_an_installation_is_its_mesh_config_its_release_and_its_namespaces() -> None:
    pages: dict[str, Json | int] = {
        "/apis/config.flomesh.io/v1alpha3/meshconfigs": listed(
            named("fsm-mesh-config", "fsm-system", spec={}), named("fsm-mesh-config", "other")
        ),
        "/api/v1/namespaces/fsm-system/secrets": listed(
            named("sh.helm.release.v1.fsm.v1", "fsm-system")
        ),
        "/api/v1/namespaces": listed(named("shop")),
    }
    server = serving(pages)
    found = read_installation(server.cluster(), namespace="fsm-system")
    assert list(found) == [
        "MeshConfig fsm-system/fsm-mesh-config",
        "Secret fsm-system/sh.helm.release.v1.fsm.v1",
        "Namespace shop",
    ]
    assert all("kind" in item and "apiVersion" in item for item in found.values())
    assert any(path.startswith("/api/v1/namespaces/fsm-system/secrets?") and "owner%3Dhelm" in path
               for path in server.asked)  # fmt: skip
    pages["/api/v1/namespaces/fsm-system/secrets"] = 403
    with pytest.raises(CouldNotCheckError, match="Helm's releases: not read"):
        read_installation(server.cluster(), namespace="fsm-system")


def test_declared_objects_are_read_where_they_stand() -> None:
    stack = settings({"releaseAssets": {"source": "existingConfigMap"}})
    manifests = bundle(stack, redirection(stack))
    there = "/apis/apps/v1/namespaces/fsm-system/deployments/fsm-injector"
    server = serving({there: named("fsm-injector", "fsm-system")})
    found = read_objects(server.cluster(), manifests)
    assert list(found) == [("Deployment", "fsm-system", "fsm-injector")]
    assert len(server.asked) == len(manifests)
    with pytest.raises(CouldNotCheckError, match="deployment-fsm-injector: not read"):
        read_objects(serving({there: 403}).cluster(), manifests)


def test_of_pods_the_annotations_alone_are_kept() -> None:
    pod = named("web", "shop", spec={"containers": [{"env": [{"name": "PASSWORD"}]}]})
    pod["metadata"]["annotations"] = {"a": "b"}
    server = serving({"/api/v1/namespaces/shop/pods": listed(pod)})
    assert read_annotations(server.cluster(), ["shop", "gone"]) == {"shop/web": {"a": "b"}}


def test_leftovers_are_read_without_anybodys_content() -> None:
    """Secrets come as metadata: the second door asks the server for no more."""
    hook = {
        "metadata": {"name": "fsm-webhook-fsm", "labels": {"app.kubernetes.io/name": "flomesh.io"}},
        "webhooks": [{"name": "fsm-inject.k8s.io", "clientConfig": {
            "service": {"namespace": "mesh", "name": "fsm-injector"}}}],
    }  # fmt: skip
    secret = named("fsm-ca-bundle", "mesh", data={"ca.crt": "canary"})
    pages: dict[str, Json | int] = {
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": listed(hook),
        "/api/v1/namespaces/mesh/services/fsm-injector": named("fsm-injector", "mesh"),
        "/apis/discovery.k8s.io/v1/namespaces/mesh/endpointslices": listed(
            named("x", "mesh", endpoints=[{"conditions": {"ready": True}}])
        ),
        "/api/v1/namespaces/mesh/secrets": listed(secret),
    }
    server, asked = serving(pages), []
    cluster = server.cluster()
    cluster.about = lambda url: asked.append(url) or server.get(url)  # type: ignore[func-returns-value]  # it adds
    found = read_leftovers(cluster)
    assert found.served == {("mesh", "fsm-injector")}
    assert [one["metadata"]["name"] for one in found.secrets] == ["fsm-ca-bundle"]
    assert "canary" not in repr(found)
    secrets = [url for url in server.asked if "/secrets" in url]
    assert secrets
    assert {f"https://server{path}" for path in secrets} <= set(asked)
    with pytest.raises(CouldNotCheckError, match="Namespace: not read"):
        read_leftovers(serving({**pages, "/api/v1/namespaces": 403}).cluster())
