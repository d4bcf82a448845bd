"""Excluded but still subject to policy, and the reverse: every cause, told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.read.text import read
from fsm_stack.verify.report import why_lines
from fsm_stack.verify.why import explain

from .world import DEV, World, expected, pod_json, world

REDIS = "10.0.0.8:6379"
OLDER = DEV.replace("[6379, 7070]", "[7070]")
CHANGED = [
    {
        "manager": "kubectl-patch",
        "time": "2026-06-30T09:00:00Z",
        "fieldsV1": {"f:spec": {"f:traffic": {"f:outboundPortExclusionList": {}}}},
    }
]


def made_before(mesh: World) -> None:
    """The pod was injected when port 6379 was not excluded yet."""
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(OLDER)))


@pytest.mark.requirement("C35")
def test_a_rule_that_works_is_as_declared() -> None:
    answer = explain(world().context(), REDIS)
    assert answer.cause == "as-declared"
    assert answer.declared == "excluded: port 6379 in outboundPortExclusionList"
    assert answer.why == "it bypasses the sidecar, as declared"


@pytest.mark.requirement("C35")
def test_a_port_that_no_list_excludes_is_config_absent() -> None:
    answer = explain(world().context(), "10.0.0.8:5432")
    assert answer.cause == "config-absent"
    assert answer.why == (
        "no list, mesh-wide or of the pod, excludes it: it goes through the sidecar"
    )


def test_a_mesh_that_runs_without_egress_is_a_step_of_what_goes_through_the_sidecar() -> None:
    """The rules do what is declared, and the application does not reach its host."""
    said = (
        "the cluster's MeshConfig: enableEgress is false: the sidecar refuses a host outside of "
        "the mesh, unless a policy allows it"
    )
    mesh = world()
    assert said not in explain(mesh.context(), "10.0.0.8:5432").steps
    mesh.the("MeshConfig")["spec"]["traffic"]["enableEgress"] = False
    assert said in explain(mesh.context(), "10.0.0.8:5432").steps
    through = explain(mesh.context(), "10.0.0.8:5432", redirected=True)
    assert (through.cause, said in through.steps) == ("as-declared", True)
    assert said not in explain(mesh.context(), REDIS).steps


@pytest.mark.requirement("C35")
def test_a_port_declared_and_not_in_the_cluster_is_config_absent() -> None:
    mesh = world()
    made_before(mesh)
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = [7070]
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "config-absent"
    assert answer.why == (
        "it is declared, and the cluster's MeshConfig has no such entry in "
        "outboundPortExclusionList"
    )
    assert answer.fix == (
        "Run `pulumi up --refresh` for the stack, then: kubectl rollout restart deployment/web -n shop"
    )


@pytest.mark.requirement("C35")
def test_a_pod_made_after_the_change_without_it_is_not_merged() -> None:
    mesh = world()
    made_before(mesh)
    mesh.the("MeshConfig")["metadata"]["managedFields"] = CHANGED
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "not-merged"
    assert answer.why == (
        "the pod was made after the change, and its script lacks the rule: fsm-injector did not "
        "merge it"
    )


@pytest.mark.requirement("C35")
def test_a_pod_made_before_the_change_was_not_restarted() -> None:
    mesh = world()
    made_before(mesh)
    mesh.the("Pod")["metadata"]["creationTimestamp"] = "2026-06-29T00:00:00Z"
    mesh.the("MeshConfig")["metadata"]["managedFields"] = CHANGED
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "pod-not-restarted"
    assert answer.why == (
        "the settings are read when a pod is injected, and its script lacks the rule"
    )
    assert answer.fix == "kubectl rollout restart deployment/web -n shop"
    assert answer.steps[-1] == (
        "pod made 2026-06-29T00:00:00Z, lists last changed 2026-06-30T09:00:00Z"
    )


@pytest.mark.requirement("C35")
def test_a_rule_that_the_kernel_lost_is_missing() -> None:
    mesh = world()
    text = mesh.the("Pod")["spec"]["initContainers"][0]["args"][1]
    mesh.live_rules = read("\n".join(line for line in text.splitlines() if "6379" not in line))
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "rule-missing"
    assert answer.why == "the script has the rule, the kernel does not"


@pytest.mark.parametrize("where", ["script", "kernel"])
def test_a_rule_that_is_not_decided_here_leaves_the_cause_unknown(where: str) -> None:
    mesh = world()
    args = mesh.the("Pod")["spec"]["initContainers"][0]["args"]
    hook = "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND"
    text = args[1].replace(
        hook, f"-A OUTPUT -p tcp -m mark --mark 1 -j REDIRECT --to-port 15001\n{hook}"
    )
    if where == "kernel":
        mesh.live_rules = read(text)
    else:
        args[1] = text
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "unknown"
    assert answer.why == (
        f"the {where} has rules of which it is not known here what they do with it: OUTPUT rule 1, "
        "-p tcp -m mark --mark 1 -j REDIRECT --to-port 15001"
    )


@pytest.mark.requirement("C35")
def test_a_pod_without_the_init_container_has_no_rule() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"] = []
    assert explain(mesh.context(), REDIS).cause == "rule-missing"


@pytest.mark.requirement("C35")
def test_a_rule_behind_the_redirection_is_shadowed() -> None:
    mesh = world()
    container = mesh.the("Pod")["spec"]["initContainers"][0]
    lines = container["args"][1].splitlines()
    rule = next(line for line in lines if "6379,7070" in line)
    lines.remove(rule)
    lines.insert(lines.index("COMMIT"), rule)
    container["args"][1] = "\n".join(lines)
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "rule-shadowed"
    assert answer.why.startswith(
        "its rule is in the script, and the packet is taken before it by FSM_PROXY_OUT_REDIRECT "
    )


@pytest.mark.requirement("C35")
def test_the_reverse_is_a_pod_that_still_has_the_rule() -> None:
    """Declared to go through the sidecar, and bypassing it."""
    mesh = world(OLDER)
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV)))
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "pod-not-restarted"
    assert answer.declared == "intercepted: no list excludes it"
    assert answer.why.endswith("its script still has the rule")


@pytest.mark.requirement("C35")
def test_an_annotation_that_cannot_be_read_is_not_merged() -> None:
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "80,x"
    assert explain(mesh.context(), REDIS).cause == "not-merged"


@pytest.mark.parametrize("text", ["10.0.0.8", "redis:6379", "10.0.0.8:x", "::1:80"])
def test_what_is_no_destination_says_what_is(text: str) -> None:
    with pytest.raises(InputError) as caught:
        explain(world().context(), text)
    assert str(caught.value) == (
        f"{text!r}: expected an IPv4 address and a port, such as 10.0.0.8:6379"
    )


def test_the_walk_needs_one_pod() -> None:
    mesh = world()
    context = replace(mesh.context(), pods=())
    with pytest.raises(InputError) as caught:
        explain(context, REDIS)
    assert str(caught.value) == "--why: expected one pod, got 0: name it as pod/NAME"


def test_the_walk_is_printed_step_by_step() -> None:
    mesh = world()
    made_before(mesh)
    context = mesh.context()
    lines = list(why_lines(context, explain(context, REDIS)))
    assert lines[:3] == [
        "context test",
        "server  https://127.0.0.1:6443",
        "stack   dev (fsm)",
    ]
    assert lines[5] == REDIS
    assert lines[6] == (
        "  settings and annotations: excluded: port 6379 in outboundPortExclusionList"
    )
    assert lines[-2].startswith("cause: pod-not-restarted: ")
    assert lines[-1] == "fix:   kubectl rollout restart deployment/web -n shop"


@pytest.mark.requirement("C35")
def test_an_inbound_port_list_hides_no_outbound_rule() -> None:
    """Both are multiport rules; the inbound one stands first in the script."""
    text = DEV.replace(
        "  fsm-stack:traffic:", "  fsm-stack:traffic:\n    inboundPortExclusionList: [8081]"
    )
    mesh = world(text)
    container = mesh.the("Pod")["spec"]["initContainers"][0]
    lines = container["args"][1].splitlines()
    rule = next(line for line in lines if "6379,7070" in line)
    lines.remove(rule)
    lines.insert(lines.index("COMMIT"), rule)
    container["args"][1] = "\n".join(lines)
    assert explain(mesh.context(), REDIS).cause == "rule-shadowed"


@pytest.mark.requirement("C35")
def test_an_exclusion_that_nobody_declared_names_who_wrote_it_into_the_cluster() -> None:
    """A restart alone would change nothing: the injector would write the rule again."""
    mesh = world(OLDER)
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV)))
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = [6379, 7070]
    mesh.the("MeshConfig")["metadata"]["managedFields"] = CHANGED
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "config-undeclared"
    assert answer.why == (
        "nothing declares it, and the cluster's MeshConfig excludes it: port 6379 in "
        "outboundPortExclusionList, last written by kubectl-patch at 2026-06-30T09:00:00Z"
    )
    assert answer.fix == (
        "Run `pulumi up --refresh` for the stack with deployment.forceMeshConfig: true: a plain "
        "one ends in a conflict with kubectl-patch, or declare it, then: kubectl rollout restart "
        "deployment/web -n shop"
    )


@pytest.mark.requirement("C35")
def test_a_rule_of_nobody_that_lets_everything_pass_is_told() -> None:
    mesh = world()
    container = mesh.the("Pod")["spec"]["initContainers"][0]
    container["args"][1] = container["args"][1].replace(
        "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND\n",
        "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND\n-A FSM_PROXY_OUTBOUND -p tcp -j RETURN\n",
    )
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert answer.cause == "rule-shadowed"
    assert answer.why == (
        "the redirection is in the script, and the packet is taken before it by "
        "FSM_PROXY_OUTBOUND rule 1, -p tcp -j RETURN"
    )


@pytest.mark.requirement("C35", "C36")
def test_a_destination_outside_the_inclusions_is_excluded_by_them() -> None:
    text = DEV.replace(
        "  fsm-stack:traffic:",
        "  fsm-stack:traffic:\n    outboundIPRangeInclusionList: [10.0.0.0/8]",
    )
    answer = explain(world(text).context(), "192.0.2.1:443")
    assert answer.cause == "as-declared"
    assert answer.declared == "excluded: no range of outboundIPRangeInclusionList holds it"


@pytest.mark.requirement("C16", "C35")
def test_an_annotation_of_the_live_pod_alone_does_not_survive_the_restart() -> None:
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "5432"
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert answer.cause == "pod-not-restarted"
    assert answer.fix == (
        "Put the annotation into the owner's pod template, then: "
        "kubectl rollout restart deployment/web -n shop"
    )


@pytest.mark.requirement("C35")
def test_a_kernel_without_the_redirection_is_seen() -> None:
    mesh = world()
    mesh.live_rules = read("*nat\nCOMMIT\n")
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert answer.cause == "rule-missing"
    assert answer.why == "the script redirects it, the kernel does not"


@pytest.mark.requirement("C35")
@pytest.mark.parametrize(
    ("status", "what"),
    [
        (
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3,
             "lastState": {"terminated": {"exitCode": 2}}},
            "init container fsm-init fails again and again, 3 times so far, last with exit code 2",
        ),
        ({"state": {}}, "init container fsm-init has no status: no node has started the pod"),
    ],
)  # fmt: skip
def test_a_script_that_was_never_loaded_decides_nothing(
    status: dict[str, object], what: str
) -> None:
    mesh = world()
    mesh.the("Pod")["status"]["initContainerStatuses"][0] |= status
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "rule-missing"
    assert answer.why == f"{what}: its rules are not in the kernel"
    assert answer.fix == "fsm-stack verify pod/web-7f9c5d-x2x -n shop --check pod-init"


@pytest.mark.requirement("C26", "C35")
def test_a_script_that_a_shell_refuses_is_not_what_ran() -> None:
    mesh = world()
    container = mesh.the("Pod")["spec"]["initContainers"][0]
    commands = "iptables -t nat -N A && iptables -t nat -A A -p tcp -j RETURN"
    container["args"][1] = commands
    assert "is not what ran" not in explain(mesh.context(), REDIS).why
    container["args"][1] = commands.replace(" && ", " && && ")
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "unknown"
    assert answer.why.endswith("the text is not what ran")


@pytest.mark.requirement("C35")
def test_a_pod_without_a_sidecar_says_why_it_has_none() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"] |= {"initContainers": [], "containers": [{"name": "app"}], "hostNetwork": True}
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "not-injected"
    assert answer.why == (
        "the pod has no sidecar: hostNetwork: the pod shares the node's network namespace"
    )
    assert answer.fix.startswith("None, if that is meant: a pod in the node's network")
    assert mesh.outcome("pod-injected").findings[0].fix == answer.fix
    pod["spec"]["hostNetwork"] = False
    answer = explain(mesh.context(), REDIS)
    assert answer.cause == "not-injected"
    assert answer.fix == "kubectl rollout restart deployment/web -n shop"


@pytest.mark.requirement("C35")
@pytest.mark.parametrize("address", ["127.0.0.5", "10.244.0.7", "0.0.0.0"])  # noqa: S104
def test_what_goes_over_lo_bypasses_the_sidecar_by_design(address: str) -> None:
    answer = explain(world().context(), f"{address}:80")
    assert answer.cause == "as-declared", answer


@pytest.mark.requirement("C35")
def test_a_mapped_address_is_the_ipv4_address_that_the_rules_see() -> None:
    answer = explain(world().context(), "[::ffff:10.0.0.8]:6379")
    assert (answer.cause, answer.destination) == ("as-declared", REDIS)


@pytest.mark.requirement("C35")
def test_the_settings_come_before_the_state_of_the_init_container() -> None:
    """The walk stops at the first step that does not hold."""
    mesh = world()
    made_before(mesh)
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = [7070]
    mesh.the("Pod")["status"] = {}
    assert explain(mesh.context(), REDIS).cause == "config-absent"


@pytest.mark.requirement("C35")
def test_a_connection_that_is_meant_to_be_redirected_can_be_asserted() -> None:
    mesh = world()
    answer = explain(mesh.context(), "10.0.0.8:5432", redirected=True)
    assert (answer.cause, answer.fix) == ("as-declared", "")
    assert answer.why == "it goes through the sidecar, as declared"
    answer = explain(mesh.context(), REDIS, redirected=True)
    assert answer.cause == "config-excludes"
    assert answer.why == (
        "it is meant to be redirected, and is excluded: port 6379 in outboundPortExclusionList"
    )
    mesh.live_rules = read("*nat\nCOMMIT\n")
    assert explain(mesh.context(), "10.0.0.8:5432", redirected=True).cause == "rule-missing"


PORTS = "flomesh.io/outbound-port-exclusion-list"
MOVE = "Move it to spec.template.metadata.annotations of Deployment web"


@pytest.mark.parametrize(
    ("kind", "part", "key", "why", "fix"),
    [
        ("Deployment", "annotations", PORTS,
         f"annotation {PORTS} stands on Deployment web, not in its pod template: FSM's injector "
         "reads it among the annotations of pods only", f"{MOVE}."),
        ("Pod", "labels", PORTS,
         f"label {PORTS} of the pod: FSM's injector reads it among the annotations of pods only",
         f"{MOVE}."),
        ("Namespace", "annotations", PORTS,
         f"annotation {PORTS} stands on namespace shop: FSM's injector reads it among the "
         "annotations of pods only", f"{MOVE}."),
        ("Pod", "annotations", PORTS.replace("flomesh", "openservicemesh"),
         f"annotation {PORTS.replace('flomesh', 'openservicemesh')} of the pod: FSM reads {PORTS}",
         f"{MOVE}, as {PORTS}."),
    ],
)  # fmt: skip
def test_an_entry_where_nobody_reads_it_is_the_cause(
    kind: str, part: str, key: str, why: str, fix: str
) -> None:
    mesh = world()
    mesh.the(kind, "" if kind == "Pod" else {"Deployment": "web", "Namespace": "shop"}[kind])[
        "metadata"
    ].setdefault(part, {})[key] = "5432"
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert (answer.cause, answer.why, answer.fix) == ("entry-misplaced", why, fix)
    assert explain(mesh.context(), "10.0.0.8:5433").cause == "config-absent"


def test_a_list_in_another_section_is_the_cause() -> None:
    mesh = world()
    spec = mesh.the("MeshConfig")["spec"]
    spec["observability"]["outboundPortExclusionList"] = [5432]
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert answer.cause == "entry-misplaced"
    assert answer.fix == (
        "Move it to spec.traffic.outboundPortExclusionList: kubectl edit meshconfig "
        "fsm-mesh-config -n fsm-system"
    )


def test_an_owner_of_several_pods_has_them_named() -> None:
    context = world().context()
    two = replace(context, pods=(*context.pods, replace(context.pods[0], name="web-2")))
    with pytest.raises(InputError) as caught:
        explain(two, REDIS)
    assert str(caught.value) == (
        "--why: expected one pod, got 2: name it as one of pod/web-7f9c5d-x2x, pod/web-2"
    )


@pytest.mark.parametrize("gone", [{"deleted": True}, {"phase": "Failed"}])
def test_what_a_restart_left_behind_is_not_asked(gone: dict[str, Any]) -> None:
    context = world().context()
    (pod,) = context.pods
    before = replace(pod, name="web-before", **gone)
    answer = explain(replace(context, pods=(before, pod)), REDIS)
    assert answer.steps[0] == f"pod {pod.key}"
    alone = explain(context, REDIS)
    assert answer == replace(alone, steps=(f"pod {pod.key}", *alone.steps))
    # where there is nothing else, it is what was asked about
    assert explain(replace(context, pods=(before,)), REDIS).cause == "as-declared"
    with pytest.raises(
        InputError, match=r"got 2: name it as one of pod/web-before, pod/web-older$"
    ):
        explain(replace(context, pods=(before, replace(before, name="web-older"))), REDIS)


def test_the_stale_check_says_the_same_of_a_pod_that_is_younger() -> None:
    mesh = world()
    made_before(mesh)
    mesh.the("MeshConfig")["metadata"]["managedFields"] = CHANGED
    (item,) = mesh.outcome("pod-stale").findings
    assert item.message == (
        "it was made after the settings last changed, 2026-06-30T09:00:00Z, and fsm-injector did "
        "not merge them: it lacks 6379"
    )
    mesh.the("Pod")["metadata"]["creationTimestamp"] = "2026-06-29T00:00:00Z"
    assert mesh.messages("pod-stale") == ["its rules are older than the settings: it lacks 6379"]
