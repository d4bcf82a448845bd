"""What the control plane's objects should be: rights, Services, and who stands in the way."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status

from .world import managed, world

APPLY = "Run `pulumi up --refresh` for the stack."
FORCED = (
    "Run `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh` for the stack: a plain one ends "
    "in a conflict with kubectl-edit"
)


@pytest.mark.parametrize("check", ["cluster-rights", "cluster-services"])
def test_what_was_applied_is_as_declared(check: str) -> None:
    mesh = world()
    assert mesh.outcome(check).status is Status.PASSED
    assert mesh.messages(check) == []


@pytest.mark.parametrize("check", ["cluster-rights", "cluster-services"])
def test_without_a_stack_nothing_is_compared(check: str) -> None:
    mesh = world()
    mesh.known = replace(mesh.known, origin="cluster", objects={})
    assert mesh.outcome(check).status is Status.NOT_APPLICABLE


def test_a_right_taken_away_is_named_with_its_resource() -> None:
    """A program that runs keeps its caches: the loss shows at its next start."""
    mesh = world()
    role = mesh.the("ClusterRole", "fsm")
    role["rules"] = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "watch"]}
        if "daemonsets" in rule["resources"]
        else rule
        for rule in role["rules"]
    ]
    (found,) = mesh.outcome("cluster-rights").findings
    assert str(found.place) == "ClusterRole fsm"
    assert found.message == (
        "it lacks watch of daemonsets.apps, deployments.apps, replicasets.apps, statefulsets.apps"
    )
    assert found.fix == APPLY
    role["metadata"]["managedFields"] = [managed("kubectl-edit", "rules")]
    (found,) = mesh.outcome("cluster-rights").findings
    assert found.fix == f"{FORCED}."


@pytest.mark.parametrize(("lost", "more"), [(5, ""), (6, "; and 1 more"), (7, "; and 2 more")])
def test_five_kinds_of_rights_are_named_and_the_others_counted(lost: int, more: str) -> None:
    """Each is one that no other rule of the declared role grants."""
    mesh = world()
    key = ("ClusterRole", "", "fsm")
    declared = copy.deepcopy(mesh.known.objects[key])
    own = [{"apiGroups": ["example.com"], "resources": [f"r{n}"], "verbs": ["get", f"v{n}"]}
           for n in range(lost)]  # fmt: skip
    mesh.known = replace(
        mesh.known,
        objects={**mesh.known.objects, key: {**declared, "rules": [*declared["rules"], *own]}},
    )
    named = "; ".join(f"get, v{n} of r{n}.example.com" for n in range(5))
    assert mesh.messages("cluster-rights") == [f"it lacks {named}{more}"]


def test_rules_written_otherwise_give_the_same_rights() -> None:
    mesh = world()
    role = mesh.the("ClusterRole", "fsm")
    role["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    assert mesh.messages("cluster-rights") == []
    role["rules"][0]["resources"] = ["*/status"]
    assert len(mesh.messages("cluster-rights")) == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ClusterRole", "it is not there: the control plane may not do what it grants"),
        ("ClusterRoleBinding", "it is not there: the control plane may not do what it grants"),
        ("ServiceAccount", "it is not there: no pod of the control plane can be made"),
    ],
)
def test_a_role_binding_or_account_that_is_gone_is_named(kind: str, message: str) -> None:
    mesh = world()
    mesh.remove(kind, "fsm")
    assert mesh.messages("cluster-rights") == [message]


def test_a_binding_to_others_is_named() -> None:
    mesh = world()
    binding = mesh.the("ClusterRoleBinding", "fsm")
    binding["subjects"] = [{"kind": "ServiceAccount", "name": "other", "namespace": "fsm-system"}]
    assert mesh.messages("cluster-rights") == ["it does not bind ServiceAccount fsm-system/fsm"]
    binding["roleRef"] = {"kind": "ClusterRole", "name": "view"}
    assert mesh.messages("cluster-rights") == [
        "it binds ClusterRole view, declared is ClusterRole fsm"
    ]


def test_roles_that_may_not_be_read_are_no_roles_that_are_gone() -> None:
    mesh = world()
    mesh.not_read[Part.RIGHTS] = "not read: clusterroles is forbidden"
    outcome = mesh.outcome("cluster-rights")
    assert (outcome.status, outcome.why) == (
        Status.NOT_RUN,
        "not read: clusterroles is forbidden",
    )


def test_a_service_port_that_leads_elsewhere_is_named_with_both_ports() -> None:
    mesh = world()
    service = mesh.the("Service", "fsm-injector")
    (port,) = service["spec"]["ports"]
    port["targetPort"] = 9999
    (found,) = mesh.outcome("cluster-services").findings
    assert str(found.place) == "Service fsm-system/fsm-injector"
    assert found.message == (
        "port 9090 leads to port 9999 of its pods, which no container declares, declared is 9090"
    )
    assert found.value == "declared 9090, live 9999"
    assert found.fix == "Run `pulumi up --refresh` for the stack, or declare it."
    service["metadata"]["managedFields"] = [managed("kubectl-edit", "spec.ports.targetPort")]
    (found,) = mesh.outcome("cluster-services").findings
    assert found.fix == f"{FORCED}, or declare it."


def test_the_default_of_a_target_port_is_no_difference() -> None:
    mesh = world()
    for port in mesh.the("Service", "fsm-injector")["spec"]["ports"]:
        port |= {"targetPort": port["port"], "protocol": "TCP"}
    assert mesh.messages("cluster-services") == []


def test_a_service_that_selects_others_or_is_gone_is_named() -> None:
    mesh = world()
    mesh.the("Service", "fsm-injector")["spec"]["selector"] = {"app": "other"}
    mesh.remove("Service", "fsm-validator")
    found = mesh.outcome("cluster-services").findings
    assert [(str(one.place), one.message) for one in found] == [
        ("Service fsm-system/fsm-injector", "it selects other pods than those declared"),
        ("Service fsm-system/fsm-validator", "it is not there"),
    ]
    assert found[0].value == "declared app=fsm-injector, live app=other"


def test_a_service_without_a_declared_port_says_what_it_has() -> None:
    mesh = world()
    (port,) = mesh.the("Service", "fsm-injector")["spec"]["ports"]
    port["port"] = 443
    (found,) = mesh.outcome("cluster-services").findings
    assert (found.message, found.value) == ("port 9090/TCP is not there", "live 443/TCP")


def test_a_drifted_setting_names_the_setting_that_takes_it_back() -> None:
    """`pulumi up --refresh` alone ends in a conflict of server-side apply."""
    mesh = world()
    item = mesh.the("MeshConfig")
    item["spec"]["traffic"]["enableEgress"] = not item["spec"]["traffic"]["enableEgress"]
    item["metadata"]["managedFields"] = [managed("kubectl-patch", "spec.traffic.enableEgress")]
    forced = (
        "Run `pulumi up --refresh` for the stack with deployment.forceMeshConfig: true: a plain "
        "one ends in a conflict with kubectl-patch, or declare it."
    )
    (found,) = mesh.outcome("cluster-mesh-config-drift").findings
    assert found.fix == forced
    item["metadata"]["managedFields"] = [
        managed("pulumi-kubernetes-6b1f", "spec.traffic.enableEgress", operation="Apply")
    ]
    (found,) = mesh.outcome("cluster-mesh-config-drift").findings
    assert found.fix == "Run `pulumi up --refresh` for the stack, or declare it."


def test_files_are_applied_with_force_where_another_owns_the_field() -> None:
    mesh = world()
    mesh.known = replace(mesh.known, origin="files")
    item = mesh.the("Deployment", "fsm-injector")
    item["spec"]["template"]["spec"]["containers"][0]["image"] = "flomesh/fsm-injector:0"
    image = "spec.template.spec.containers.image"
    item["metadata"]["managedFields"] = [
        managed("kubectl-set", image),
        managed("argocd-controller", image, operation="Apply"),
    ]
    (found,) = mesh.outcome("cluster-images").findings
    assert found.fix == (
        "Apply the rendered files with --force-conflicts: a plain one ends in a conflict with "
        "kubectl-set, or declare the image."
    )
    mesh.known = replace(mesh.known, directory="rendered/dev")
    (found,) = mesh.outcome("cluster-images").findings
    assert found.fix == (
        "Run `kubectl apply --server-side --force-conflicts -k rendered/dev`: a plain one ends in "
        "a conflict with kubectl-set, or declare the image."
    )
    untouched = copy.deepcopy(item)
    untouched["metadata"]["managedFields"] = item["metadata"]["managedFields"][1:]
    mesh.objects[mesh.objects.index(item)] = untouched
    (found,) = mesh.outcome("cluster-images").findings
    assert found.fix == (
        "Run `kubectl apply --server-side -k rendered/dev`, or declare the image."
    )
