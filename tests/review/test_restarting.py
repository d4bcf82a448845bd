"""Pods are folded into classes that say what each pod would; waves undercut no budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.injector.annotations import interception
from fsm_stack.review.compare import Comparison
from fsm_stack.review.intent import intent
from fsm_stack.review.model import Level
from fsm_stack.review.reports.report import findings_of, text_lines
from fsm_stack.review.restarting.pods import Owner, Pods
from fsm_stack.review.restarting.waves import Budget, allowed, plan, selects, unavailable
from fsm_stack.verify.redirecting import redirecting_mesh

from .sides import review, side, traffic

if TYPE_CHECKING:
    from fsm_stack.review.model import Review

PORTS = "flomesh.io/outbound-port-exclusion-list"
INIT = {"initContainers": [{"name": "fsm-init"}]}


def deployment(name: str, replicas: int = 2, **annotations: str) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"containers": []},
            },
        },
    }


def pod(name: str, owner: str = "", *, meshed: bool = True, **annotations: str) -> dict[str, Any]:
    owners = (
        [{"kind": "ReplicaSet", "name": f"{owner}-7f9c5d", "controller": True}] if owner else []
    )
    metadata = {"name": name, "namespace": "shop", "annotations": annotations,
                "labels": {"app": owner, "pod-template-hash": "7f9c5d"}, "ownerReferences": owners}  # fmt: skip
    return {"kind": "Pod", "metadata": metadata, "spec": INIT if meshed else {},
            "status": {"phase": "Running"}}  # fmt: skip


def _budget(**spec: Any) -> dict[str, Any]:
    return {"kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}} | spec}  # fmt: skip


def reviewed(*objects: dict[str, Any], **after: Any) -> Review:
    compared = Comparison(
        side(), side(**(after or traffic(outboundPortExclusionList=[6379, 443])))
    )
    pods = compared.pods()
    assert pods is not None
    for item in objects:
        pods.add(item)
    return compared.review(pods=pods)


def test_pods_that_get_the_same_script_are_one_class() -> None:
    found = reviewed(
        deployment("web", 4), deployment("api", 2), deployment("old", 1, **{PORTS: "443"})
    )
    restarts = found.restarts
    assert restarts is not None
    assert (restarts.pods, restarts.of, restarts.namespaces) == (6, 7, 1)
    changing = [one for one in restarts.classes if one.changes]
    assert [one.owners for one in changing] == [
        (("shop/Deployment/web", 4), ("shop/Deployment/api", 2))
    ]
    assert "TCP 443 to any address leaves the mesh" in changing[0].traffic[0]


def test_a_pod_that_bypasses_the_port_already_need_not_restart() -> None:
    """Its script is written in another order, and does the same."""
    found = reviewed(deployment("old", 1, **{PORTS: "443"}))
    assert found.restarts is not None
    assert (found.restarts.pods, found.restarts.of) == (0, 1)


def test_running_pods_count_by_their_owner_and_those_without_a_sidecar_do_not() -> None:
    found = reviewed(pod("a", "web"), pod("b", "web"), pod("c", "web", meshed=False), pod("lone"))
    assert found.restarts is not None
    commands = [step.command for wave in found.restarts.waves for step in wave]
    assert found.restarts.pods == 3
    assert commands == [
        "kubectl delete pod lone -n shop",
        "kubectl rollout restart deployment/web -n shop",
    ]


def test_the_template_counts_and_not_the_pods_that_it_made_earlier() -> None:
    found = reviewed(pod("a", "web"), deployment("web", 1, **{PORTS: "443"}))
    assert found.restarts is not None
    assert found.restarts.pods == 0


def test_a_namespace_outside_of_the_mesh_has_no_pods_to_restart() -> None:
    outside = {"kind": "Namespace", "metadata": {"name": "shop", "labels": {}}}
    found = reviewed(deployment("web"), outside)
    assert found.restarts is not None
    assert found.restarts.of == 0


def test_a_pod_whose_next_script_would_not_load_is_held_and_not_restarted() -> None:
    many = ",".join(str(port) for port in range(1000, 1014))
    found = reviewed(deployment("web", 2, **{PORTS: many}))
    restarts = found.restarts
    assert restarts is not None
    assert restarts.waves == ()
    assert restarts.held[0][0] == "shop/Deployment/web"
    assert restarts.held[0][1].startswith("the next pod would not start: iptables refuses")


def test_a_change_that_keeps_given_pods_from_starting_stops_also_when_it_was_declared() -> None:
    many = ",".join(str(port) for port in range(1000, 1014))
    meant = [intent("bypass tcp 443", "--expect")]
    after = side(**traffic(outboundPortExclusionList=[6379, 443]))
    compared = Comparison(side(), after, intents=meant)
    pods = compared.pods()
    assert pods is not None
    pods.add(deployment("web", 2, **{PORTS: many}))
    found = compared.review(pods=pods)
    assert found.headline == (
        "Pods of shop/Deployment/web would not start: iptables refuses multiport: expected at most "
        "15 ports, got 16"
    )
    assert found.risk is Level.HIGH
    assert found.stops(Level.HIGH)
    assert [item.id for item in findings_of(found)] == ["change-undecided"]
    other = Comparison(side(), after, intents=meant)
    calm = other.pods()
    assert calm is not None
    calm.add(deployment("web", 2, **{PORTS: "1000"}))
    assert not other.review(pods=calm).stops(Level.LOW)


def test_without_workloads_the_rule_is_told() -> None:
    compared = Comparison(side(), side(**traffic(outboundPortExclusionList=[443])))
    restarts = compared.review().restarts
    assert restarts is not None
    assert restarts.rule.startswith("Every pod with a sidecar has to restart")


WRITTEN = (
    "Pods of profile batch get its new lists with its new annotations: write them into the templates "
    "(fsm-stack annotate), which restarts the pods."
)


def _profile(*ports: int) -> dict[str, Any]:
    return {"annotationProfiles": {"batch": {"outboundPortExclusionList": list(ports)}}}


def test_a_profile_s_other_lists_reach_pods_with_its_other_annotations() -> None:
    """Pods carry the text of the old ones: a restart alone gives them the old rules again."""
    found = review(side(**_profile(1)), side(**_profile(1, 2)))
    assert found.restarts is not None
    assert found.restarts.rule == WRITTEN
    assert text_lines(found)[2] == (
        "No pod changes by this alone: those change that are given the profile's annotations."
    )
    both = review(
        side(**_profile(1)), side(**_profile(1, 2), **traffic(outboundPortExclusionList=[6379, 3]))
    )
    assert both.restarts is not None
    assert both.restarts.rule == (
        "Every pod with a sidecar has to restart to get the new rules; until then it has the old "
        f"ones. {WRITTEN}"
    )
    assert text_lines(both)[2].startswith("New pods change at once")


def test_a_new_profile_changes_no_pod_by_itself() -> None:
    found = review(side(), side(**_profile(443)))
    assert found.restarts is not None
    assert found.restarts.rule == "No running pod has to restart."
    assert text_lines(found)[2].startswith("No pod changes by this alone")


def test_the_rule_leaves_out_the_profile_that_does_not_change() -> None:
    """Its pods bypassed the port already."""
    lists = [traffic(outboundPortExclusionList=ports) for ports in ([6379], [6379, 1])]
    found = review(*(side(**_profile(1), **one) for one in lists))
    assert found.restarts is not None
    assert found.restarts.rule == (
        "To get the new rules, these have to restart: pods without redirection annotations."
    )


values = st.sampled_from([None, "443", "443,6379", "6379", "1,2,3", "80", "x"])


@given(st.lists(st.tuples(values, st.integers(1, 5)), min_size=1, max_size=8))
def test_classes_say_what_each_pod_would_say_by_itself(pods: list[tuple[str | None, int]]) -> None:
    objects = [
        deployment(f"d{index}", count, **({PORTS: ports} if ports is not None else {}))
        for index, (ports, count) in enumerate(pods)
    ]
    found = reviewed(*objects).restarts
    assert found is not None
    before, after = side(), side(**traffic(outboundPortExclusionList=[6379, 443]))
    views = [
        redirecting_mesh(one.settings.profile, one.spec, name="fsm", namespace="fsm-system")
        for one in (before, after)
        if one.settings is not None
    ]
    changing = 0
    for ports, count in pods:
        if ports == "x":
            continue
        carried = {PORTS: ports} if ports is not None else {}
        lists = [set(interception(carried, view).lists.outbound_ports) for view in views]
        changing += count if lists[0] != lists[1] else 0
    assert found.of == sum(count for _, count in pods)
    assert found.pods == changing


class TestBudgets:
    @pytest.mark.parametrize(
        ("least", "most", "pods", "spare"),
        [(2, None, 3, 1), ("50%", None, 5, 2), (None, 1, 3, 1), (None, "30%", 5, 2),
         ("100%", None, 4, 0), (9, None, 3, 0), (None, None, 3, 3)],
    )  # fmt: skip
    def test_percentages_are_rounded_up(
        self, least: int | str | None, most: int | str | None, pods: int, spare: int
    ) -> None:
        budget = Budget(
            cluster="", namespace="shop", name="b", selector={}, least=least, most=most
        )
        assert allowed(budget, pods) == spare

    @pytest.mark.parametrize(
        ("kind", "strategy", "count", "down"),
        [
            ("Deployment", {}, 4, 1),
            ("Deployment", {}, 3, 0),
            ("Deployment", {"type": "Recreate"}, 3, 3),
            ("Deployment", {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}, 3, 1),
            ("Deployment", {"rollingUpdate": {"maxUnavailable": "50%"}}, 5, 2),
            ("Deployment", {"rollingUpdate": {"maxUnavailable": "all"}}, 5, 5),
            ("StatefulSet", {}, 3, 1),
            ("StatefulSet", {"type": "OnDelete"}, 3, 3),
            ("DaemonSet", {}, 9, 1),
            ("DaemonSet", {"rollingUpdate": {"maxUnavailable": "20%"}}, 9, 2),
            ("DaemonSet", {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, 9, 0),
            ("Job", {}, 2, 2),
        ],
    )
    def test_a_rollout_takes_down_what_its_strategy_says(
        self, kind: str, strategy: dict[str, Any], count: int, down: int
    ) -> None:
        owner = Owner(
            cluster="", namespace="shop", kind=kind, name="x", pods={(): count}, strategy=strategy
        )
        assert unavailable(owner) == down

    @pytest.mark.parametrize(
        ("selector", "taken"),
        [
            ({}, True),
            ({"matchLabels": {"app": "web"}}, True),
            ({"matchLabels": {"app": "api"}}, False),
            ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
            (
                {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
                False,
            ),
            ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
            ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
            ({"matchExpressions": [{"key": "tier", "operator": "Near"}]}, False),
        ],
    )
    def test_selectors_are_kubernetes_own(self, selector: dict[str, Any], taken: bool) -> None:  # noqa: FBT001
        assert selects(selector, {"app": "web"}) is taken

    def test_an_owner_that_its_budget_never_lets_go_is_held_with_what_to_do(self) -> None:
        restarts = reviewed(deployment("web", 4), _budget(minAvailable="100%")).restarts
        assert restarts is not None
        assert restarts.waves == ()
        assert restarts.held == ((
            "shop/Deployment/web",
            "PodDisruptionBudget shop/web lets fewer than 1 of its pods be down, and a rollout takes "
            "so many: run more replicas, or give its strategy maxUnavailable 0 with a surge",
        ),)  # fmt: skip

    def test_a_rollout_moves_the_pods_without_a_sidecar_too(self) -> None:
        """Of eight pods four have none yet: a quarter of eight are two, and the budget lets one go."""
        pods = [pod(f"web-{number}", "web", meshed=number < 4) for number in range(8)]
        restarts = reviewed(*pods, deployment("web", 8), _budget(maxUnavailable=1)).restarts
        assert restarts is not None
        assert (restarts.pods, restarts.waves) == (4, ())
        assert "lets fewer than 2 of its pods be down" in restarts.held[0][1]
        free = reviewed(*pods, deployment("web", 8), _budget(minAvailable=6)).restarts
        assert free is not None
        assert [step.unavailable for wave in free.waves for step in wave] == [2]

    def test_a_daemon_set_has_as_many_pods_as_its_status_says(self) -> None:
        one = deployment("web") | {"kind": "DaemonSet", "status": {"desiredNumberScheduled": 50}}
        del one["spec"]["replicas"]
        one["spec"]["updateStrategy"] = {"rollingUpdate": {"maxUnavailable": 3}}
        restarts = reviewed(one, _budget(maxUnavailable=1)).restarts
        assert restarts is not None
        assert (restarts.pods, restarts.waves) == (50, ())

    def test_owners_of_one_service_share_no_wave_beyond_its_half(self) -> None:
        service = {"kind": "Service", "metadata": {"name": "front", "namespace": "shop"},
                   "spec": {"selector": {"tier": "front"}}}  # fmt: skip
        fronts = []
        for name in ("a", "b", "c"):
            one = deployment(name, 2)
            one["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
            fronts.append(one)
        restarts = reviewed(*fronts, service).restarts
        assert restarts is not None
        assert [len(wave) for wave in restarts.waves] == [1, 1, 1]


owners = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]),
        st.sampled_from([{}, {"rollingUpdate": {"maxUnavailable": "50%"}}, {"rollingUpdate": {"maxUnavailable": 2}}]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip
budgets = st.lists(
    st.tuples(
        st.sampled_from([{}, {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}]),
        st.sampled_from([(3, None), ("60%", None), (None, 2), (None, "25%"), ("100%", None)]),
    ),
    max_size=3,
)


def _down(owner: Owner) -> int:
    """What Kubernetes takes down of all its pods at a time, written once more."""
    whole = owner.replicas or 0
    usual = "25%" if owner.kind == "Deployment" else 1
    most = owner.strategy.get("rollingUpdate", {}).get("maxUnavailable", usual)
    if isinstance(most, str):
        share = int(most[:-1]) * whole
        most = share // 100 if owner.kind == "Deployment" else -(-share // 100)
    return int(min(whole, most))


@given(owners, budgets)
def test_no_wave_undercuts_a_budget_and_no_owner_is_lost(
    drawn: list[tuple[int, str, dict[str, Any], str, int]],
    limits: list[tuple[dict[str, Any], tuple[Any, Any]]],
) -> None:
    every = [
        Owner(cluster="", namespace="shop", kind=kind, name=f"o{index}", pods={(): count},
              labels={"app": app}, strategy=strategy, others=others, replicas=count + others)
        for index, (count, kind, strategy, app, others) in enumerate(drawn)
    ]  # fmt: skip
    known = [
        Budget(cluster="", namespace="shop", name=f"b{index}", selector=selector, least=least, most=most)
        for index, (selector, (least, most)) in enumerate(limits)
    ]  # fmt: skip
    ranks = {index: index % 4 for index in range(len(every))}
    made = plan(every, every, known, [], ranks)
    by_title = {owner.title: owner for owner in every}
    for wave in made.waves:
        for budget in known:
            down = sum(
                _down(by_title[step.owner]) for step in wave if budget.holds(by_title[step.owner])
            )
            pods = sum(
                sum(owner.pods.values()) + owner.others for owner in every if budget.holds(owner)
            )
            assert down <= allowed(budget, pods)
    planned = [step.owner for wave in made.waves for step in wave]
    assert sorted([*planned, *(title for title, _ in made.held)]) == sorted(by_title)
    assert len(made.waves) == 0 or len(made.waves[0]) == 1


def test_the_riskiest_come_last() -> None:
    every = [
        Owner(cluster="", namespace="shop", kind="Deployment", name=name, pods={(): 3})
        for name in ("risky", "calm")
    ]
    made = plan(every, every, [], [], {0: 3, 1: 1})
    assert [step.owner for wave in made.waves for step in wave] == [
        "shop/Deployment/calm", "shop/Deployment/risky",
    ]  # fmt: skip


def test_objects_of_other_shapes_are_left_alone() -> None:
    mesh = redirecting_mesh(side().settings.profile, side().spec, name="fsm", namespace="x")  # type: ignore[union-attr]  # there
    pods = Pods(mesh)
    for item in ({}, {"kind": "Pod"}, {"kind": "Deployment", "spec": []}, {"kind": "Secret"},
                 {"kind": "PodDisruptionBudget", "spec": {"minAvailable": True}},
                 {"kind": "Service", "spec": {"selector": None}}):  # fmt: skip
        pods.add(item)
    found = sorted(owner.title for owner in pods.finished({}))
    assert found == ["default/Deployment/", "default/Pod/"]
