"""The pod that is made next is judged before anything restarts, and a MeshConfig by itself."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Context, Report, Status, run_checks
from fsm_stack.verify.expected import of_cluster
from fsm_stack.verify.problems import commands, problems
from fsm_stack.verify.report import restart_json
from fsm_stack.verify.restarting.restarts import lines, restarts

from .world import DEV, NOW, World, check, expected, pod_json, world

PORTS = "outboundPortExclusionList"
KEY = "flomesh.io/outbound-port-exclusion-list"
EDIT = "kubectl edit meshconfig fsm-mesh-config -n fsm-system"
UP = "Run `pulumi up --refresh` for the stack"
SIXTEEN = list(range(21000, 21016))


def patched(name: str, value: Any, *, spec: str = "traffic") -> World:
    """The dev mesh after somebody patched its live MeshConfig; its pod is older than that."""
    mesh = world()
    mesh.the("MeshConfig")["spec"][spec][name] = value
    return mesh


def alone(mesh: World) -> Context:
    """The same cluster looked at without a STACK, and without the stack's own record."""
    mesh.objects = [item for item in mesh.objects if item["metadata"]["name"] != "fsm-redirection"]
    snapshot = mesh.snapshot()
    own = of_cluster(snapshot)
    assert own is not None
    return Context(snapshot=snapshot, expected=own, now=NOW, pods=snapshot.pods)


def told(context: Context, check_id: str) -> list[tuple[str, str, str]]:
    (outcome,) = run_checks(context, [check(check_id)])
    return [(one.id, one.place.path, one.message) for one in outcome.findings]


HAZARDS = [
    (PORTS, SIXTEEN, "", "expected at most 15 ports, got 16"),
    ("inboundPortExclusionList", [70000], "[0]", "expected a port from 1 to 65535, got 70000"),
    ("outboundIPRangeExclusionList", ["fd00::/8"], "[0]",
     "expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'; only IPv4 is intercepted"),
    ("outboundIPRangeInclusionList", ["10.0.0.300/8"], "[0]",
     "expected an IPv4 CIDR such as 10.0.0.0/8, got '10.0.0.300/8'"),
    ("networkInterfaceExclusionList", ["averyveryverylongname0"], "[0]",
     "expected at most 15 characters, got 22: 'averyveryverylongname0'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "where", "message"), HAZARDS)
def test_a_patched_mesh_config_stops_every_pod_that_restarts(
    name: str, value: Any, where: str, message: str
) -> None:
    """Old pods still run: nothing but the next pod's script tells it."""
    place = "MeshConfig fsm-system/fsm-mesh-config"
    wanted = f"every pod that restarts now will not start: spec.traffic.{name}{where}: {message}"
    for context in (patched(name, value).context(), alone(patched(name, value))):
        assert told(context, "next-pod") == [("next-pod", place, wanted)]
        ((_, path, said),) = told(context, "cluster-mesh-config-content")
        assert (path, said) == (f"{place} spec.traffic.{name}{where}", message)


def test_what_mends_the_mesh_is_what_is_declared_else_an_edit() -> None:
    (one,) = patched(PORTS, SIXTEEN).outcome("next-pod").findings
    assert one.fix == UP
    assert one.value == "iptables refuses multiport: expected at most 15 ports, got 16"
    (outcome,) = run_checks(alone(patched(PORTS, [70000])), [check("next-pod")])
    assert outcome.findings[0].fix == (
        f"spec.traffic.{PORTS}[0]: Write a decimal port from 1 to 65535: {EDIT}"
    )


def test_each_list_that_stops_the_next_pods_has_its_own_place_and_remedy() -> None:
    """Not glued together: who edits the MeshConfig needs to know which list each is about."""
    mesh = patched(PORTS, [70000])
    traffic = mesh.the("MeshConfig")["spec"]["traffic"]
    traffic["networkInterfaceExclusionList"] = ["averyveryverylongname0"]
    context = alone(mesh)
    outcomes = run_checks(context, [check("next-pod")])
    interface = "networkInterfaceExclusionList[0]"
    assert [item.message for item in outcomes[0].findings] == [
        "every pod that restarts now will not start: "
        f"spec.traffic.{interface}: expected at most 15 characters, got 22: "
        "'averyveryverylongname0'",
        f"spec.traffic.{PORTS}[0]: expected a port from 1 to 65535, got 70000",
    ]
    report = Report(context=context, outcomes=outcomes)
    assert commands(report, problems(report)) == (
        f"# spec.traffic.{interface}: A wildcard matches a prefix: averyveryveryl+",
        f"# spec.traffic.{PORTS}[0]: Write a decimal port from 1 to 65535",
        EDIT.replace("kubectl", "kubectl --context test"),
    )


def test_what_the_stack_recorded_in_the_cluster_mends_its_mesh_config() -> None:
    mesh = patched(PORTS, [6379, 70000])
    snapshot = mesh.snapshot()
    own = of_cluster(snapshot)
    assert own is not None
    context = Context(snapshot=snapshot, expected=own, now=NOW, pods=snapshot.pods)
    (outcome,) = run_checks(context, [check("next-pod")])
    assert outcome.findings[0].fix == (
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system --type=merge -p "
        """'{"spec": {"traffic": {"outboundPortExclusionList": [6379, 7070]}}}'"""
    )


def annotated(count: int) -> World:
    """An owner whose template adds so many ports to the mesh's two; its pod is of before."""
    mesh = world()
    ports = ",".join(str(9000 + number) for number in range(count))
    mesh.the("Deployment", "web")["spec"]["template"]["metadata"]["annotations"] = {KEY: ports}
    return mesh


def test_mesh_and_template_together_are_too_many() -> None:
    assert annotated(13).outcome("next-pod").status is Status.PASSED
    (one,) = annotated(14).outcome("next-pod").findings
    assert (one.place.path, one.message) == (
        "Deployment shop/web",
        "its next pods will not start: outbound ports: 14 ports of its template and 2 of the mesh",
    )
    assert one.fix == (
        "Correct its pod template's annotations: kubectl edit deployment/web -n shop"
    )


def test_a_template_outside_the_mesh_is_not_judged() -> None:
    mesh = annotated(14)
    template = mesh.the("Deployment", "web")["spec"]["template"]["metadata"]
    template["annotations"]["flomesh.io/sidecar-injection"] = "disabled"
    assert mesh.messages("next-pod") == []


def test_a_pod_whose_owner_was_not_read_is_judged_as_it_is() -> None:
    mesh = world()
    mesh.remove("Pod")
    mesh.remove("Deployment", "web")
    ports = ",".join(str(9000 + number) for number in range(14))
    mesh.objects.append(pod_json(mesh.known, annotations={KEY: ports}))
    (one,) = mesh.outcome("next-pod").findings
    assert one.place.path == "pod shop/web-7f9c5d-x2x"
    assert one.message.startswith("made again as it is, it will not start: outbound ports: 14")


def test_a_mesh_without_init_containers_has_no_script_to_load() -> None:
    mesh = patched(PORTS, SIXTEEN)
    mesh.the("MeshConfig")["spec"]["traffic"]["interceptionMode"] = "NodeLevel"
    assert mesh.messages("next-pod") == []


def test_without_pods_the_mesh_alone_is_judged() -> None:
    mesh = patched(PORTS, SIXTEEN)
    mesh.not_read = {Part.PODS: "forbidden"}
    assert len(mesh.messages("next-pod")) == 1
    good = world()
    good.not_read = {Part.PODS: "forbidden"}
    assert good.outcome("next-pod").status is Status.NOT_RUN


@pytest.mark.parametrize(
    ("where", "name"), [("observability", PORTS), ("sidecar", "interceptionMode"),
                        ("traffic", "localProxyMode"), ("traffic", "outboundPortsExclusionList")]
)  # fmt: skip
def test_a_key_in_the_wrong_place_is_read_by_nobody(where: str, name: str) -> None:
    right = {
        "interceptionMode": "spec.traffic.interceptionMode",
        "localProxyMode": "spec.sidecar.localProxyMode",
    }.get(name, f"spec.traffic.{PORTS}")
    (one,) = patched(name, [3306], spec=where).outcome("cluster-mesh-config-content").findings
    assert one.message == f"nobody reads spec.{where}.{name}: it belongs to {right}"
    assert (one.value, one.fix) == ("[3306]", f"Move it to {right}: {EDIT}")


def test_a_list_right_below_spec_is_seen_too() -> None:
    mesh = world()
    mesh.the("MeshConfig")["spec"][PORTS] = [3306]
    assert mesh.messages("cluster-mesh-config-content") == [
        f"nobody reads spec.{PORTS}: it belongs to spec.traffic.{PORTS}"
    ]


def test_what_the_stack_declares_and_can_accept_is_left_to_validate() -> None:
    """Host bits are a warning that a stack may take on purpose; there `validate` says it."""
    mesh = world(DEV.replace("1.1.1.1/32", "1.1.1.1/24"))
    assert mesh.messages("cluster-mesh-config-content") == []
    (outcome,) = run_checks(alone(mesh), [check("cluster-mesh-config-content")])
    assert [(one.id, one.severity) for one in outcome.findings] == [
        ("host-bits", Severity.WARNING)
    ]


def stale(mesh: World) -> World:
    """Its pod has the rules of before the last declared port."""
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV.replace(", 7070", ""))))
    return mesh


def test_a_restart_that_cannot_work_is_refused() -> None:
    context = stale(patched(PORTS, SIXTEEN)).context()
    listed = restarts(context)
    assert listed.owners == ()
    assert list(lines(context, listed, batch=10))[2:] == [
        "# every pod that restarts now will not start: spec.traffic.outboundPortExclusionList: "
        "expected at most 15 ports, got 16",
        f"# first: {UP}",
        "# not to be restarted: 1 owner",
        "#   Deployment web -n shop: it would not start: iptables refuses multiport: expected at "
        "most 15 ports, got 16",
        "# 0 pods of 0 owners can be restarted now",
    ]
    plain = restart_json(context, listed)
    assert (plain["owners"], plain["refused"][0]["first"]) == ([], UP)


def test_one_owner_is_refused_and_the_others_are_listed() -> None:
    mesh = stale(annotated(14))
    pod = pod_json(expected(DEV.replace(", 7070", "")), "cart-5b8d6c-k4d")
    pod["metadata"]["ownerReferences"][0]["name"] = "cart-5b8d6c"
    mesh.objects.append(pod)
    listed = restarts(mesh.context())
    assert [one.owner for one in listed.owners] == ["Deployment cart"]
    assert [(one.owner, one.first) for one in listed.refused] == [
        ("Deployment web",
         "Correct its pod template's annotations: kubectl edit deployment/web -n shop")
    ]  # fmt: skip


def test_a_restart_into_a_mesh_that_redirects_nothing_is_refused() -> None:
    (one,) = restarts(alone(stale(patched("outboundIPRangeExclusionList", ["0.0.0.0/0"])))).refused
    assert one.why == "none of its outbound connections would be redirected"
    assert one.first == (
        "spec.traffic.outboundIPRangeExclusionList[0]: Exclude the ranges that must bypass the "
        f"mesh, one by one: {EDIT}"
    )


def test_every_fix_that_restarts_mends_first() -> None:
    """Also where the restart itself is due: a pod without a sidecar, old images, old rules."""
    mesh = stale(patched(PORTS, SIXTEEN))
    (one,) = mesh.outcome("pod-stale").findings
    assert one.fix == f"{UP}, then: kubectl rollout restart deployment/web -n shop"
    (one,) = stale(annotated(14)).outcome("pod-stale").findings
    assert one.fix == (
        "Correct its pod template's annotations: kubectl edit deployment/web -n shop, then: "
        "kubectl rollout restart deployment/web -n shop"
    )
    (one,) = stale(world()).outcome("pod-stale").findings
    assert one.fix == "kubectl rollout restart deployment/web -n shop"


@pytest.mark.parametrize("level", ["baseline", "restricted", "privileged"])
def test_pod_security_refuses_the_next_pod_and_its_restart(level: str) -> None:
    """Pods that run are older than the label: a restart would lose them."""
    mesh = patched(PORTS, [6379])
    label = "pod-security.kubernetes.io/enforce"
    mesh.the("Namespace", "shop")["metadata"].setdefault("labels", {})[label] = level
    items = mesh.outcome("next-pod").findings
    listed = restarts(mesh.context())
    if level == "privileged":
        assert (items, listed.refused) == ((), ())
        return
    why = (
        f"namespace shop enforces pod security {level}, which refuses fsm-init (NET_ADMIN): no "
        "pod is created"
    )
    fix = f"kubectl label namespace shop {label}=privileged --overwrite"
    assert [(one.place.path, one.message, one.fix) for one in items] == [
        ("namespace shop", why, fix)
    ]
    mesh.the("Pod")["spec"]["initContainers"] = []
    (refused,) = restarts(mesh.context()).refused
    assert (refused.why, refused.first) == (why, fix)


def test_the_clusters_own_ranges_count_where_a_stack_tells_them() -> None:
    """Without a STACK nobody knows which addresses are the services'."""
    name, stack = (
        "outboundIPRangeExclusionList",
        f"{DEV}  fsm-stack:cluster: {{serviceRanges: [10.96.0.0/16]}}\n",
    )

    def excluding(text: str, cidr: str) -> World:
        mesh = world(text)
        mesh.the("MeshConfig")["spec"]["traffic"][name] = [cidr]
        return mesh

    own = excluding(stack, "10.96.0.0/16")
    place = "MeshConfig fsm-system/fsm-mesh-config spec.traffic.outboundIPRangeExclusionList[0]"
    covers = "10.96.0.0/16 covers the cluster's service range 10.96.0.0/16"
    wanted = [("excludes-mesh-traffic", place, covers)]
    assert told(own.context(), "cluster-mesh-config-content") == wanted
    assert told(alone(own), "cluster-mesh-config-content") == []
    assert told(excluding(DEV, "10.96.0.0/16").context(), "cluster-mesh-config-content") == []
    other = excluding(stack, "192.0.2.0/24")
    assert told(other.context(), "cluster-mesh-config-content") == []


def test_without_ranges_the_addresses_of_the_meshs_pods_tell() -> None:
    """An exclusion that holds all of them is wrong; one that holds some may be meant."""
    listed = ["10.0.0.0/8", "10.244.0.8/32", "10.96.0.0/16", "10.244.0.9/32", "0.0.0.0/0"]
    mesh = patched("outboundIPRangeExclusionList", listed)
    other, leaving, node = (pod_json(mesh.known, name) for name in ("other", "leaving", "node"))
    for pod, address in ((other, "8"), (leaving, "9"), (node, "9")):
        pod["status"]["podIP"] = f"10.244.0.{address}"
    leaving["metadata"]["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    node["spec"]["hostNetwork"] = True
    mesh.objects += [other, leaving, node]
    (outcome,) = run_checks(alone(mesh), [check("cluster-mesh-config-content")])
    place = "MeshConfig fsm-system/fsm-mesh-config spec.traffic.outboundIPRangeExclusionList"
    of = "covers the addresses of"
    ends = "traffic to them bypasses the mesh"
    assert [
        (one.place.path, one.severity, one.message)
        for one in outcome.findings
        if one.id == "excludes-mesh-traffic"
    ] == [
        (f"{place}[0]", Severity.ERROR,
         f"10.0.0.0/8 {of} 2 of the mesh's 2 pods, such as shop/web-7f9c5d-x2x (10.244.0.7): {ends}"),
        (f"{place}[1]", Severity.WARNING,
         f"10.244.0.8/32 {of} 1 of the mesh's 2 pods, such as shop/other (10.244.0.8): {ends}"),
    ]  # fmt: skip
    # where a stack file has it, `validate` says what it says
    stack = world(DEV.replace("[1.1.1.1/32]", str(listed[:1])))
    assert told(stack.context(), "cluster-mesh-config-content") == []
