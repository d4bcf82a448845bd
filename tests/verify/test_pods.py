"""The steps of the troubleshooting guides for one pod, each broken once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.iptables.read.text import read
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status
from fsm_stack.verify.restarting.restarts import restarts

from .world import DEV, World, expected, pod_json, world

POD = "pod shop/web-7f9c5d-x2x"
RESTART = "kubectl rollout restart deployment/web -n shop"


def init_status(mesh: Any) -> dict[str, Any]:
    return mesh.the("Pod")["status"]["initContainerStatuses"][0]


@pytest.mark.requirement("C23")
def test_a_pod_without_a_sidecar_says_why_it_should_have_one() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.message == (
        "it has no sidecar, though namespace shop asks for it, and the pod does not object: it "
        "was made before that, or past the webhook"
    )
    assert finding.fix == RESTART
    assert finding.place.path == POD


@pytest.mark.requirement("C23")
def test_a_pod_that_declines_is_told_only_to_who_asks_for_it() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    pod["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = "no"
    assert mesh.messages("pod-injected") == ["its traffic is not redirected: the pod declines it"]
    mesh.asked = ""
    assert mesh.messages("pod-injected") == []


def test_a_sidecar_that_the_next_restart_removes_is_a_warning() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = "disabled"
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "it has a sidecar and loses it at its next restart: the pod declines it"
    )


def test_an_injection_value_that_refuses_the_next_pod_is_an_error() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = "maybe"
    assert mesh.messages("pod-injected") == [
        "the injector refuses such a pod now: invalid annotation value for key "
        '"flomesh.io/sidecar-injection": maybe'
    ]


@pytest.mark.requirement("C23")
def test_a_sidecar_that_is_not_ready_shows_the_computed_count() -> None:
    """The guides say 2/2; with the health-check helper it is 3, native sidecars count too."""
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["containers"].append({"name": "fsm-healthcheck", "image": "flomesh/h:1"})
    pod["spec"]["initContainers"].append({"name": "log-shipper", "restartPolicy": "Always"})
    pod["spec"]["initContainers"].append({"name": "migrate"})
    statuses = pod["status"]["containerStatuses"]
    statuses[1] |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 1}}}  # fmt: skip
    statuses.append({"name": "fsm-healthcheck", "ready": True})
    pod["status"]["initContainerStatuses"].append({"name": "log-shipper", "ready": True})
    (finding,) = mesh.outcome("pod-ready").findings
    assert finding.message == (
        "the sidecar is not ready: waiting, CrashLoopBackOff; last ended with exit code 1"
    )
    assert finding.value == "READY 3/4, status Running"
    assert finding.fix == "kubectl logs web-7f9c5d-x2x -c sidecar -n shop"


@pytest.mark.parametrize(
    ("number", "whose", "fix"),
    [
        (0, "container app", "Raise the memory limit of container app in the pod template of "
         "Deployment web."),
        (1, "the sidecar", "Raise sidecar.resources.limits.memory, and make the pod again."),
    ],
)  # fmt: skip
def test_a_container_that_the_kernel_ended_for_its_memory_needs_no_log(
    number: int, whose: str, fix: str
) -> None:
    mesh = world()
    mesh.the("Pod")["status"]["containerStatuses"][number] |= {
        "ready": False, "restartCount": 7,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }  # fmt: skip
    (finding,) = mesh.outcome("pod-ready").findings
    assert finding.message == (
        f"{whose} is not ready: waiting, CrashLoopBackOff; last ended with exit code 137, "
        "OOMKilled, 7 restarts: the kernel ended it for its memory"
    )
    assert finding.fix == fix


@pytest.mark.requirement("C24")
@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"state": {"terminated": {"exitCode": 2}}}, "init container fsm-init failed with exit code 2"),
        (
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4,
             "lastState": {"terminated": {"exitCode": 1}}},
            "init container fsm-init fails again and again, 4 times so far, last with exit code 1",
        ),
        (
            {"state": {"waiting": {"reason": "ErrImagePull"}}},
            "init container fsm-init is waiting: ErrImagePull",
        ),
        ({"state": {"running": {}}}, "init container fsm-init is still running"),
        ({"state": {}}, "init container fsm-init has no status: no node has started the pod"),
    ],
)  # fmt: skip
def test_every_state_of_the_init_container_is_told_apart(
    status: dict[str, Any], message: str
) -> None:
    mesh = world()
    init_status(mesh).update(status)
    assert mesh.messages("pod-init") == [message]


@pytest.mark.requirement("C24")
def test_an_absent_init_container_is_told() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"] = []
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.message == (
        "init container fsm-init is absent: no rule redirects the pod's traffic"
    )
    assert finding.fix == RESTART


@pytest.mark.requirement("C41")
def test_a_container_of_another_systems_name_is_not_taken_for_the_init_container() -> None:
    """A name is part of a profile; the Japanese page shows osm-init."""
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["name"] = "osm-init"
    assert mesh.messages("pod-init") == [
        "init container fsm-init is absent: no rule redirects the pod's traffic"
    ]


@pytest.mark.parametrize(
    ("log", "means"),
    [
        (
            "iptables-restore v1.8.9 (nf_tables): too many ports specified",
            "one list has more than 15 ports, mesh and pod together",
        ),
        (
            "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Table does not exist",
            "the node's kernel has no nat table for this iptables back end, or the container may "
            "not use it",
        ),
        (
            "Fatal: can't open lock file /run/xtables.lock: Permission denied",
            "the container may not change the pod's rules",
        ),
    ],
)
def test_a_known_line_of_the_log_names_the_cause(log: str, means: str) -> None:
    mesh = world()
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2}}
    mesh.objects.append(
        {
            "kind": "PodLog",
            "metadata": {"namespace": "shop", "name": "web-7f9c5d-x2x"},
            "text": f"trying\n{log}\n",
        }
    )
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.message == f"init container fsm-init failed with exit code 2: {means}"
    assert finding.value == log


def node_level(mesh: World) -> World:
    view = replace(mesh.known.mesh, interception_mode="NodeLevel")
    mesh.known = replace(mesh.known, mesh=view)
    mesh.the("MeshConfig")["spec"]["traffic"]["interceptionMode"] = "NodeLevel"
    return mesh


def test_without_interception_of_pods_no_init_container_is_missed() -> None:
    mesh = node_level(world())
    mesh.the("Pod")["spec"]["initContainers"] = []
    outcome = mesh.outcome("pod-init")
    assert outcome.status is Status.NOT_APPLICABLE
    assert outcome.why == ("traffic.interceptionMode is 'NodeLevel': no init container is made")


def test_a_pod_of_before_the_node_intercepts_is_stale() -> None:
    mesh = node_level(world())
    (finding,) = mesh.outcome("pod-stale").findings
    assert finding.message == (
        "traffic.interceptionMode is 'NodeLevel': no init container is made now, and the pod has "
        "one"
    )
    assert finding.fix == RESTART
    assert mesh.outcome("pod-rules").status is Status.NOT_APPLICABLE
    (listed,) = restarts(mesh.context()).owners
    assert listed.why == finding.message


def test_an_init_container_that_fails_is_told_whatever_the_mode_is_now() -> None:
    mesh = node_level(world())
    assert mesh.outcome("pod-init").status is Status.PASSED
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2}}
    assert mesh.messages("pod-init") == ["init container fsm-init failed with exit code 2"]


def test_a_pod_that_lost_its_init_container_has_to_restart() -> None:
    mesh = world()
    assert restarts(mesh.context()).owners == ()
    mesh.the("Pod")["spec"]["initContainers"] = []
    (listed,) = restarts(mesh.context()).owners
    assert listed.why == "it has no init container fsm-init"


def ended(phase: str, **status: object) -> World:
    """A job's pod that is not started again."""
    mesh = world()
    mesh.the("Pod")["status"] |= {"phase": phase, **status}
    return mesh


def test_a_pod_that_ended_because_its_rules_do_not_load_is_told() -> None:
    mesh = ended("Failed")
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2}}
    assert mesh.messages("pod-init") == ["init container fsm-init failed with exit code 2"]


def test_a_pod_that_ended_otherwise_is_left_alone() -> None:
    """Its program failed; or the kubelet evicted it while the init container ran."""
    own = ended("Failed")
    evicted = ended("Failed", reason="Evicted")
    init_status(evicted)["state"] = {"terminated": {"exitCode": 137}}
    for mesh in (own, evicted, ended("Succeeded")):
        assert mesh.outcome("pod-init").status is Status.NOT_APPLICABLE


def before_ours(mesh: World, state: dict[str, Any]) -> None:
    """An init container of the application's stands before the injector's."""
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"].insert(0, {"name": "prep"})
    init_status(mesh)["state"] = {"waiting": {"reason": "PodInitializing"}}
    pod["status"]["initContainerStatuses"].insert(0, {"name": "prep", "state": state})


def test_another_init_container_that_fails_first_is_the_one_that_is_blamed() -> None:
    mesh = world()
    before_ours(mesh, {"waiting": {"reason": "CrashLoopBackOff"}})
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.message == (
        "init container fsm-init waits for init container prep, which stands before it: prep is "
        "waiting, CrashLoopBackOff"
    )
    assert finding.fix == "kubectl logs web-7f9c5d-x2x -c prep -n shop"


def test_an_init_container_that_ended_well_is_not_blamed() -> None:
    mesh = world()
    before_ours(mesh, {"terminated": {"exitCode": 0}})
    assert mesh.messages("pod-init") == ["init container fsm-init is waiting: PodInitializing"]


def test_a_container_that_never_started_has_no_log_to_read() -> None:
    mesh = world()
    init_status(mesh)["state"] = {"waiting": {"reason": "ImagePullBackOff"}}
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.fix == "kubectl describe pod web-7f9c5d-x2x -n shop"


def test_a_container_of_the_applications_called_sidecar_is_none_of_the_meshs() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    assert mesh.outcome("pod-injected").findings == ()
    pod["metadata"]["labels"] = {"app": "web"}
    (message,) = mesh.messages("pod-injected")
    assert message.startswith("it has no sidecar, though namespace shop asks for it")
    (listed,) = restarts(mesh.context()).owners
    assert listed.why == "it has no sidecar"


@pytest.mark.requirement("C42")
def test_a_full_width_comma_in_an_annotation_is_named() -> None:
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "6379\uff0c7070"
    assert mesh.messages("pod-annotations") == [
        "the injector refuses such a pod: Invalid port value '6379\uff0c7070' specified for "
        f"annotation '{key}'; it holds U+FF0C FULLWIDTH COMMA, expected ASCII"
    ]


@pytest.mark.requirement("C17")
def test_a_pod_made_before_a_change_is_stale_and_says_what_it_lacks() -> None:
    older = DEV.replace("[6379, 7070]", "[6379, 9999]")
    mesh = world()
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(older)))
    (finding,) = mesh.outcome("pod-stale").findings
    assert finding.message == (
        "its rules are older than the settings: it lacks 7070 and still has 9999"
    )
    assert finding.value == "2 differences, made 2026-07-01T10:00:00Z"
    assert finding.fix == RESTART
    assert mesh.messages("pod-rules") == [
        "outbound ports 7070: the script has no rule for them",
        "outbound ports 9999: not declared",
    ]


@pytest.mark.requirement("C36")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "inboundPortExclusionList: [8081]",
            "inbound ports 8081: the script has no rule for them",
        ),
        (
            "outboundIPRangeInclusionList: [10.0.0.0/8]",
            "included range 10.0.0.0/8: the script has no rule for it",
        ),
        (
            "networkInterfaceExclusionList: [net1, net7]",
            "interface net7: the script has no rule for it",
        ),
    ],
)
def test_lists_without_a_guide_are_compared_too(change: str, message: str) -> None:
    name = change.partition(":")[0]
    lines = [line for line in DEV.splitlines() if name not in line]
    newer = "\n".join(
        line if "fsm-stack:traffic" not in line else f"{line}\n    {change}" for line in lines
    )
    mesh = world(newer)
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV)))
    assert mesh.messages("pod-rules") == [message]


@pytest.mark.requirement("C36")
def test_a_pods_own_range_is_expected_in_its_script() -> None:
    mesh = world()
    key = "flomesh.io/outbound-ip-range-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "10.9.0.0/16"
    assert mesh.messages("pod-rules") == [
        "excluded range 10.9.0.0/16: the script has no rule for it"
    ]


@pytest.mark.requirement("C16")
def test_an_annotation_on_a_live_pod_alone_is_lost_at_the_restart() -> None:
    """The guide says to annotate the pod and then restart it: that loses the annotation."""
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "8080"
    assert mesh.messages("pod-annotation-effect") == [
        f"annotation {key} is on the pod and not in its owner's template: the restart that would "
        "make it count removes it"
    ]


def test_unknown_and_foreign_annotations_are_told() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"] |= {
        "flomesh.io/outbound-port-exclusion": "1",
        "openservicemesh.io/sidecar-injection": "enabled",
    }
    assert mesh.messages("pod-annotation-effect") == [
        "annotation flomesh.io/outbound-port-exclusion is read by nobody",
        "annotation openservicemesh.io/sidecar-injection is another mesh's: FSM reads flomesh.io/",
    ]


def test_an_annotation_on_the_owner_itself_is_told() -> None:
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Deployment", "web")["metadata"]["annotations"] = {key: "1"}
    assert mesh.messages("owner-annotations") == [
        f"annotation {key} stands on the Deployment, not in its pod template: nobody reads it"
    ]


def test_reserved_ports_and_the_reserved_user_are_told() -> None:
    mesh = world()
    app = mesh.the("Pod")["spec"]["containers"][0]
    app["ports"].append({"containerPort": 15003})
    app["securityContext"] = {"runAsUser": 1500}
    assert mesh.messages("pod-reserved") == [
        "container app uses port 15003: the sidecar's inbound listener",
        "container app runs as user 1500, the sidecar's: its traffic bypasses the sidecar",
    ]


def test_a_port_is_reserved_in_pods_with_a_sidecar_only() -> None:
    """FSM's own controller, and pods on the node's network, take such ports by right."""
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["containers"][0]["ports"].append({"containerPort": 15003})
    assert len(mesh.messages("pod-reserved")) == 1
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    del pod["metadata"]["labels"]["fsm-proxy-uuid"]
    assert mesh.outcome("pod-reserved").status is Status.NOT_APPLICABLE


def test_a_script_that_is_none_is_an_error_and_no_traceback() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["args"] = ["-c", "rm -rf /"]
    (message,) = mesh.messages("pod-script")
    assert message.startswith("the script cannot be read: ")


@pytest.mark.parametrize(("code", "suspected"), [(0, True), (2, False)])
def test_doubled_jumps_are_suspected_from_restarts(code: int, suspected: bool) -> None:  # noqa: FBT001
    """A run of iptables-restore that failed leaves nothing behind."""
    mesh = world()
    init_status(mesh).update({"restartCount": 1, "lastState": {"terminated": {"exitCode": code}}})
    assert mesh.messages("pod-live-rules") == (
        ["suspected: init container fsm-init ran 2 times in one network namespace"]
        if suspected
        else []
    )


def test_commands_around_a_pods_rules_are_told() -> None:
    mesh = world()
    args = mesh.the("Pod")["spec"]["initContainers"][0]["args"]
    args[1] += "echo done\n"
    assert mesh.messages("pod-rules") == [
        "beside what an injector writes: 1 line of shell around the rules: passed over, what they "
        "do is not followed: echo done"
    ]


def test_nobody_looks_into_the_kernel_of_a_pod_that_has_ended_or_no_sidecar() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    assert mesh.outcome("pod-live-rules").why.startswith("to look into the kernel: kubectl debug")
    pod["status"]["phase"] = "Failed"
    assert mesh.outcome("pod-live-rules").why == "pod shop/web-7f9c5d-x2x ran to its end: Failed"
    pod["status"]["phase"] = "Running"
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    assert mesh.outcome("pod-live-rules").why == "pod shop/web-7f9c5d-x2x has no sidecar"


def test_doubled_jumps_in_the_kernel_are_seen() -> None:
    mesh = world()
    text = mesh.the("Pod")["spec"]["initContainers"][0]["args"][1]
    doubled = text.replace(
        "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND\n", "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND\n" * 2
    )
    mesh.live_rules = read(doubled)
    assert mesh.messages("pod-live-rules") == ["OUTPUT jumps to FSM_PROXY_OUTBOUND twice"]


def kernel(mesh: World, *drop: str, add: str = "") -> list[tuple[str, str, object]]:
    """What the check says of a kernel that lacks these lines and has another one."""
    text = mesh.the("Pod")["spec"]["initContainers"][0]["args"][1]
    kept = [line for line in text.splitlines() if not any(part in line for part in drop)]
    mesh.live_rules = read("\n".join(kept).replace("COMMIT", f"{add}\nCOMMIT"))
    outcome = mesh.outcome("pod-live-rules")
    return [(str(one.severity), one.message, one.value) for one in outcome.findings]


def test_the_rules_of_the_script_in_the_kernel_pass() -> None:
    mesh = world()
    assert kernel(mesh) == []
    assert mesh.outcome("pod-live-rules").status is Status.PASSED


def test_rules_of_other_programs_in_the_kernel_are_told_and_are_no_error() -> None:
    add = "-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE\n-A OUTPUT -m mark --mark 1 -j ACCEPT"
    assert kernel(world(), add=add) == [
        (
            "info",
            "1 rule of POSTROUTING and below: passed over, they translate the source of "
            "connections, and redirect none",
            None,
        ),
        (
            "info",
            "-m mark --mark 1 may match; an answer that depends on it names it: -m mark --mark 1 -j ACCEPT",
            None,
        ),
        (
            "warning",
            "the kernel has a rule in OUTPUT that the script has not",
            "-A OUTPUT -m mark --mark 1 -j ACCEPT",
        ),
    ]


def test_a_rule_that_the_kernel_lacks_is_told() -> None:
    assert kernel(world(), "6379") == [
        (
            "error",
            "the kernel lacks a rule of FSM_PROXY_OUTBOUND: these outbound ports are excluded",
            "-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379,7070 -j RETURN",
        )
    ]


def test_a_kernel_without_the_redirection_itself_is_told() -> None:
    """Not only entries of lists: a flushed table has none of them, and no redirection either."""
    mesh = world()
    mesh.live_rules = read("*nat\nCOMMIT\n")
    messages = mesh.messages("pod-live-rules")
    assert (
        "the kernel lacks a rule of OUTPUT: every TCP connection that leaves a process of the pod "
        "is examined"
    ) in messages
    assert len(messages) == 20


def test_a_rule_that_somebody_added_is_told() -> None:
    added = "-I FSM_PROXY_OUTBOUND -p tcp -j RETURN"
    assert kernel(world(), add=added) == [
        (
            "error",
            "the kernel has a rule in FSM_PROXY_OUTBOUND that the script has not",
            "-A FSM_PROXY_OUTBOUND -p tcp -j RETURN",
        )
    ]


def test_a_rule_of_another_program_beside_the_meshs_is_a_warning() -> None:
    ((severity, message, _),) = kernel(world(), add="-A OUTPUT -d 127.0.0.11/32 -j RETURN")
    assert severity == "warning"
    assert message == "the kernel has a rule in OUTPUT that the script has not"


def test_the_same_rules_in_another_order_are_told() -> None:
    mesh = world()
    text = mesh.the("Pod")["spec"]["initContainers"][0]["args"][1]
    rule = next(
        line
        for line in text.splitlines()
        if "--uid-owner 1500 -j RETURN" in line and "lo" not in line
    )
    assert kernel(mesh, rule, add=rule)[0][1] == (
        "the kernel has the rules of FSM_PROXY_OUTBOUND in another order"
    )


def test_pods_that_ran_to_their_end_are_left_alone() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["status"]["phase"] = "Succeeded"
    pod["spec"]["containers"].pop()
    outcome = mesh.outcome("pod-ready")
    assert outcome.status is Status.NOT_APPLICABLE
    assert outcome.why == "pod shop/web-7f9c5d-x2x ran to its end: Succeeded"


def test_what_is_said_about_no_pod_is_not_counted_as_passed() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    for name in (
        "pod-ready",
        "pod-init",
        "pod-script",
        "pod-generation",
        "pod-rules",
        "pod-stale",
    ):
        assert mesh.outcome(name).status is Status.NOT_APPLICABLE, name
    assert mesh.outcome("pod-ready").why == "pod shop/web-7f9c5d-x2x has no sidecar"


def test_a_script_that_cannot_be_read_is_compared_with_nothing() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["args"] = ["-c", "rm -rf /"]
    for name in ("pod-generation", "pod-rules", "pod-stale"):
        outcome = mesh.outcome(name)
        assert outcome.status is Status.NOT_RUN
        assert outcome.why == "pod shop/web-7f9c5d-x2x: its script cannot be read"


def test_a_pod_that_cannot_be_looked_at_hides_no_finding_of_the_others() -> None:
    mesh = world()
    older = pod_json(expected(DEV.replace("[6379, 7070]", "[6379]")), "older")
    broken = [pod_json(mesh.known, name) for name in ("a", "b")]
    for one in broken:
        one["spec"]["initContainers"][0]["args"] = ["-c", "rm -rf /"]
    mesh.objects += [*broken, older]
    outcome = mesh.outcome("pod-rules")
    assert [item.place.path for item in outcome.findings] == ["pod shop/older"]
    assert outcome.status is Status.FAILED
    assert outcome.why == "pod shop/a: its script cannot be read; and 1 more pod"
    assert not outcome.complete


def test_an_owner_without_pods_is_not_counted_as_passed() -> None:
    mesh = world()
    mesh.remove("Pod")
    mesh.asked = "deployment/web -n shop"
    outcome = mesh.outcome("pod-rules")
    assert outcome.status is Status.NOT_RUN
    assert outcome.why == "deployment/web -n shop has no pod to look at"


def test_a_log_that_may_not_be_read_is_named_with_the_failure() -> None:
    mesh = world()
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2}}
    mesh.not_read = {Part.LOGS: 'not read: pods "x" is forbidden: cannot get resource "pods/log"'}
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == (
        'its log was not read: pods "x" is forbidden: cannot get resource "pods/log"'
    )


def test_how_long_a_container_waits_hides_no_log_that_may_not_be_read() -> None:
    """The kubelet's message of every crash-looping container says nothing about the crash."""
    mesh = world()
    init_status(mesh).update(
        state={"waiting": {"reason": "CrashLoopBackOff",
                           "message": "back-off 5m0s restarting failed container=fsm-init"}},
        lastState={"terminated": {"exitCode": 2}},
    )  # fmt: skip
    mesh.not_read = {Part.LOGS: 'not read: cannot get resource "pods/log"'}
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == 'its log was not read: cannot get resource "pods/log"'
    init_status(mesh)["lastState"]["terminated"]["message"] = "no chain"
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == "no chain"
    init_status(mesh).update(
        state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, lastState={}
    )
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == "no such image"


@pytest.mark.parametrize(
    ("state", "fix"),
    [
        (
            {"waiting": {"reason": "PodInitializing"}},
            "kubectl describe pod web-7f9c5d-x2x -n shop",
        ),
        ({}, "kubectl describe pod web-7f9c5d-x2x -n shop"),
        ({"running": {}}, "kubectl logs web-7f9c5d-x2x -c sidecar -n shop"),
    ],
)
def test_a_sidecar_that_never_started_has_no_log_to_read(state: dict[str, Any], fix: str) -> None:
    mesh = world()
    mesh.the("Pod")["status"]["containerStatuses"][1] |= {"ready": False, "state": state}
    (finding,) = mesh.outcome("pod-ready").findings
    assert finding.fix == fix


def test_whether_an_annotation_lasts_is_unknown_without_the_owner() -> None:
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"]["flomesh.io/sidecar-injection"] = "yes"
    mesh.remove("Deployment", "web")
    mesh.not_read = {Part.OWNERS: "not read: deployments.apps is forbidden"}
    outcome = mesh.outcome("pod-annotation-effect")
    assert outcome.status is Status.NOT_RUN
    assert outcome.why == (
        "whether shop/web-7f9c5d-x2x's annotations last is unknown: not read: deployments.apps is "
        "forbidden"
    )


def test_a_script_whose_rules_cannot_be_compared_is_one_finding_of_its_pod() -> None:
    """Else the script of one pod stops the check of a whole mesh."""
    mesh = world()
    rules = "".join(
        f"-A FSM_PROXY_OUTBOUND -p tcp -d 11.0.{n}.0/24 ! --dport {n}00:{n}03 -m owner "
        f"! --uid-owner {n} -j {'REDIRECT --to-port 15001' if n % 2 else 'RETURN'}\n"
        for n in range(1, 99)
    )
    last = "-A FSM_PROXY_OUTBOUND -d 127.0.0.1/32"
    change_script(mesh, last, f"{rules}{last}")
    assert mesh.messages("pod-script") == ["118 rules differ too much from one another"]


def test_a_script_of_any_size_is_refused_before_it_is_read() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["args"] = ["-c", "x" * 2_000_000]
    assert mesh.messages("pod-script") == [
        "the script cannot be read: expected at most 65536 characters, got 2000000"
    ]


def change_script(mesh: World, old: str, new: str) -> None:
    container = mesh.the("Pod")["spec"]["initContainers"][0]
    assert old in container["args"][1]
    container["args"][1] = container["args"][1].replace(old, new)


def test_a_rule_that_no_injector_writes_is_told() -> None:
    """Somebody, or another webhook, changed the script: no entry of a list stands behind it."""
    mesh = world()
    change_script(mesh, "COMMIT", "-A FSM_PROXY_OUTBOUND -s 10.0.0.1/32 -j ACCEPT\nCOMMIT")
    (finding,) = mesh.outcome("pod-rules").findings
    assert finding.message == "a rule that no injector writes"
    assert finding.value == "-s 10.0.0.1/32 -j ACCEPT"


@pytest.mark.requirement("C36")
@pytest.mark.parametrize(
    ("line", "lacks"),
    [("-A FSM_PROXY_OUTBOUND -o net1 -j RETURN\n", "outbound"),
     ("-I FSM_PROXY_INBOUND -i net1 -j RETURN\n", "inbound")],
)  # fmt: skip
def test_an_interface_is_excluded_in_both_directions(line: str, lacks: str) -> None:
    mesh = world()
    change_script(mesh, line, "")
    assert mesh.messages("pod-rules") == [f"interface net1: the script has no {lacks} rule for it"]


@pytest.mark.requirement("C39")
@pytest.mark.parametrize(("code", "status"), [(0, Status.PASSED), (1, Status.FAILED)])
def test_a_mesh_config_of_before_the_mode_is_no_reason_not_to_look(
    code: int, status: Status
) -> None:
    """osm-edge intercepts in the mode PodLevel alone; its v1alpha2 has no such field."""
    mesh = world(DEV.replace("config:", "config:\n  fsm-stack:system: osm-edge"))
    view = replace(mesh.known.mesh, interception_mode="")
    mesh.known = replace(mesh.known, mesh=view)
    init_status(mesh)["state"] = {"terminated": {"exitCode": code}}
    assert mesh.outcome("pod-init").status is status
    assert mesh.outcome("pod-stale").status is Status.PASSED


def test_a_failure_without_its_log_says_that_nobody_read_it() -> None:
    mesh = world()
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2}}
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == "its log was not read"
    init_status(mesh)["state"] = {"terminated": {"exitCode": 2, "message": "no chain"}}
    (finding,) = mesh.outcome("pod-init").findings
    assert finding.value == "no chain"


ENROL = "kubectl label namespace shop flomesh.io/monitored-by=fsm --overwrite"


def test_pods_of_a_namespace_that_lost_its_label_are_named() -> None:
    """The webhook passes the namespace over, and nobody says so of the pods made since."""
    mesh = world()
    mesh.the("Namespace", "shop")["metadata"]["labels"] = {}
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "it has a sidecar and loses it at its next restart: namespace shop: label "
        "flomesh.io/monitored-by is absent, the mesh is 'fsm'; it is declared otherwise"
    )
    assert finding.fix == ENROL
    pod = mesh.the("Pod")
    pod["metadata"]["labels"] = {}
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"] = pod["spec"]["containers"][:1]
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "it has no sidecar: namespace shop: label flomesh.io/monitored-by is absent, the mesh is "
        "'fsm'; it is declared otherwise"
    )
    assert finding.fix == f"{ENROL}, then: kubectl rollout restart deployment/web -n shop"
    listed = restarts(mesh.context())
    assert (listed.owners, listed.later) == ((), (f"{ENROL}: 1 pod waits for that",))


def test_a_label_and_an_annotation_are_mended_together() -> None:
    mesh = world()
    about = mesh.the("Namespace", "shop")["metadata"]
    about["labels"] = {"flomesh.io/monitored-by": "fsm", "flomesh.io/ignore": "true"}
    about["annotations"]["flomesh.io/sidecar-injection"] = "disabled"
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.fix == (
        "kubectl label namespace shop flomesh.io/ignore- && kubectl annotate namespace shop "
        "flomesh.io/sidecar-injection=enabled --overwrite"
    )
